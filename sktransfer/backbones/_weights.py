"""Checkpoints: downloaded, read as data without running code, and checked before use."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from sktransfer.exceptions import OfflineError, SktransferError, WeightsError

logger = logging.getLogger("sktransfer")

StateDict = dict[str, torch.Tensor]

_is_forbidden: ContextVar[bool] = ContextVar("_is_forbidden", default=False)


def described(error: Exception) -> str:
    """Return an error's type and message on one line, without a full stop."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")


def read_state_dict(path: Path) -> StateDict:
    """Read a `.safetensors`, `.pth`, `.pt` or `.bin` file of tensors without executing anything.

    Wrappers that training scripts leave (``{"state_dict": ...}``, ``{"ema": ...}``) are removed;
    see `without_prefix` for prefixes of names.

    Raises
    ------
    WeightsError
        If the file is missing or damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {str(path)!r}.")
    try:
        if path.suffix == ".safetensors":
            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise a dozen types
        refused = re.search(r"(?:GLOBAL|Unsupported class) ([\w.]+)", str(error))
        reason = described(error)
        if refused:
            reason = f"it holds an object of the class {refused[1]}, which could run code"
        raise WeightsError(
            f"{str(path)!r} cannot be read as tensors: {reason}. Weights must be a .safetensors "
            "file, or a .pth file of nothing but tensors: torch.save(model.state_dict(), path)."
        ) from (None if refused else error)
    return _unwrap(content, path)


def _unwrap(content: Any, path: Path) -> StateDict:
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{str(path)!r} holds no named tensors.")
    parts = {str(name): part for name, part in content.items() if _holds_tensors(part)}
    is_network = any(isinstance(v, torch.Tensor) and v.ndim > 0 for v in content.values())
    if len(parts) == 1 and not is_network:
        (content,) = parts.values()
    elif not is_network and parts:  # `without_prefix` finds the one that is the network
        content = {f"{name}.{n}": t for name, part in parts.items() for n, t in part.items()}
    others = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise WeightsError(f"{str(path)!r} holds entries that are not tensors: {some(others)}.")
    return dict(content)


def _holds_tensors(content: object) -> bool:
    """Return whether it is a mapping of nothing but tensors."""
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(value, torch.Tensor) for value in content.values())
    )


def without_prefix(state: StateDict, names: Collection[str], *, source: str) -> StateDict:
    """Return the entries of the part of a checkpoint that holds a network, under its own names.

    Training scripts save the network as a part of something larger: all names begin with
    "backbone.", "model.", "_orig_mod." or "encoder_q.". Entries outside of that part, such as a
    projection head, are left out.

    Parameters
    ----------
    state : dict of str to Tensor
        The checkpoint.
    names : collection of str
        Names of the weights that the network needs.
    source : str
        Where the checkpoint comes from, for the message.

    Returns
    -------
    dict of str to Tensor
        `state` itself where it has all of the names, or no prefix leads to any.

    Raises
    ------
    WeightsError
        If the network is there under several prefixes.
    """
    if any(name in state for name in names):
        return state
    longest = max(names, key=len, default="")
    found = sorted({key.removesuffix(longest) for key in state if key.endswith(f".{longest}")})
    whole = [prefix for prefix in found if all(prefix + name in state for name in names)]
    if len(whole) > 1:
        raise WeightsError(
            f"The weights of {source} hold this network {len(whole)} times, under the prefixes "
            f"{', '.join(map(repr, whole))}. Save the one that you mean alone, without its prefix."
        )
    if not whole and len(found) != 1:
        return state
    (prefix,) = whole or found
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def load_strict(
    module: nn.Module,
    state: StateDict,
    *,
    source: str,
    ignore: str | tuple[str, ...] = (),
) -> None:
    """Load all weights into a module, or raise an error that names those that do not fit.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    state : dict of str to Tensor
        The weights.
    source : str
        Where they come from, for the message.
    ignore : str or tuple of str
        Prefixes of names that may be missing, extra or of another shape: those of the classifier,
        which feature extraction does not use.

    Raises
    ------
    WeightsError
        With the names that are missing or unexpected, or whose shapes differ.
    """

    def counts(name: str) -> bool:
        # Old checkpoints lack this counter, which is for training only.
        return not name.startswith(ignore) and not name.endswith("num_batches_tracked")

    own = module.state_dict()
    needed = {name: tensor for name, tensor in own.items() if counts(name)}
    state = without_prefix(state, needed, source=source)
    given = {name: tensor for name, tensor in state.items() if counts(name)}
    refuse_misfits(needed, given, source=source, any_dtype=True)
    # `own` also holds the version of each module's weights: some modules refuse weights without
    # one, or take them for those of their first version.
    own.update({n: v for n, v in state.items() if n in own and v.shape == own[n].shape})
    module.load_state_dict(own)


def refuse_misfits(
    own: Mapping[str, torch.Tensor],
    others: Mapping[str, torch.Tensor],
    *,
    source: str,
    any_dtype: bool = False,
) -> None:
    """Raise `WeightsError` unless two state dicts agree in names, shapes and dtypes."""
    both = [(name, own[name], others[name]) for name in own if name in others]
    faults = {
        "missing": [name for name in own if name not in others],
        "unexpected": [name for name in others if name not in own],
        "of another shape": [
            f"{name} {tuple(other.shape)} for {tuple(tensor.shape)}"
            for name, tensor, other in both
            if tensor.shape != other.shape
        ],
        "of another type": [
            name for name, tensor, other in both if tensor.dtype != other.dtype and not any_dtype
        ],
    }
    refuse(faults, source=source)


def refuse(faults: Mapping[str, list[str]], *, source: str) -> None:
    """Raise `WeightsError` if there are names under any kind of fault."""
    if any(faults.values()):
        listed = "; ".join(f"{kind}: {some(names)}" for kind, names in faults.items() if names)
        raise WeightsError(f"The weights of {source} do not fit their architecture. {listed}.")


def some(names: list[str], most: int = 5) -> str:
    """List the first names, and the number of the others."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


@contextmanager
def obtaining(what: str, *, fix: str, local: Path | None = None) -> Iterator[None]:
    """Turn the errors of a download, or of reading its file, into those of this package.

    Parameters
    ----------
    what : str
        What is downloaded or read.
    fix : str
        For the messages: what to do without a network.
    local : Path, optional
        The file on this machine, if there is one; then nothing is downloaded.

    Raises
    ------
    OfflineError
        If the environment or `downloads_forbidden` forbids downloads, or one fails.
    WeightsError
        If the content is damaged.
    """
    forbids = {name: os.environ.get(name, "") for name in ("SKTRANSFER_OFFLINE", "HF_HUB_OFFLINE")}
    forbids["download=False"] = "yes" if _is_forbidden.get() else ""
    for reason, value in forbids.items():
        if local is None and value.lower() in {"1", "true", "yes", "on"}:
            raise OfflineError(
                f"Not on this machine: {what}, and {reason} forbids downloads. {fix}"
            )
    try:
        yield
    except SktransferError:
        raise
    except Exception as error:  # whatever a loader, its client or the network raises
        reason = described(error)
        # torch.hub and load_state_dict raise RuntimeError for content that does not fit.
        if local is not None or isinstance(error, RuntimeError):
            raise WeightsError(f"Cannot load {what}, damaged or unsuitable: {reason}.") from error
        raise OfflineError(f"{what} could not be fetched ({reason}). {fix}") from error


@contextmanager
def downloads_forbidden() -> Iterator[None]:
    """Let `obtaining` raise `OfflineError` where it would download, in this thread."""
    token = _is_forbidden.set(True)
    try:
        yield
    finally:
        _is_forbidden.reset(token)


def announce_download(what: str, size: str) -> None:
    """Log what is about to be downloaded and its size."""
    logger.warning("sktransfer downloads %s (%s), once.", what, size)
