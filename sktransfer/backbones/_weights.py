"""Weights are data: read without running code, checked before they are used."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from sktransfer.exceptions import OfflineError, WeightsError

logger = logging.getLogger("sktransfer")

StateDict = dict[str, torch.Tensor]


def read_state_dict(path: Path) -> StateDict:
    """Read a `.safetensors`, `.pth`, `.pt` or `.bin` file of tensors; nothing in it is executed.

    Wrappers that training scripts leave (``{"state_dict": ...}``, ``{"model": ...}``, a
    "module." before every name) are taken off.

    Raises
    ------
    WeightsError
        If there is no such file, it is damaged, or holds something else than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {str(path)!r}.")
    try:
        content = _read(path)
    except Exception as error:  # torch and safetensors raise a dozen different ones
        raise WeightsError(
            f"{str(path)!r} cannot be read as tensors ({type(error).__name__}: {error}). Weights "
            "must be a .safetensors file, or a .pth file of a state_dict: "
            "torch.save(model.state_dict(), path); whole pickled models are refused."
        ) from error
    return _unwrap(content, path)


def _read(path: Path) -> object:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _unwrap(content: object, path: Path) -> StateDict:
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{str(path)!r} holds no named tensors.")
    strangers = [name for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if strangers:
        raise WeightsError(f"{str(path)!r} holds entries that are no tensors: {some(strangers)}.")
    if all(name.startswith("module.") for name in content):
        content = {name.removeprefix("module."): value for name, value in content.items()}
    return dict(content)


def load_strict(
    module: nn.Module,
    state: Mapping[str, torch.Tensor],
    *,
    source: str,
    ignore: str | tuple[str, ...] = "",
) -> None:
    """Put weights into a module, every one of them, or raise and say which do not fit.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    state : mapping of str to Tensor
        The weights.
    source : str
        Where they come from, for the message.
    ignore : str or tuple of str
        Prefix, or prefixes, of names that may be missing, extra or of another shape: the
        classifier, which feature extraction does not use. Empty: none may.

    Raises
    ------
    WeightsError
        Listing the names that are missing, that are too many, or whose shapes differ.
    """
    own = module.state_dict()
    misshapen = [
        f"{name} {tuple(state[name].shape)} for {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    faults = {
        "missing": [name for name in own if name not in state],
        "unexpected": [name for name in state if name not in own],
        "of another shape": misshapen,
    }
    if ignore:
        faults = {
            kind: [name for name in names if not name.startswith(ignore)]
            for kind, names in faults.items()
        }
    # Old checkpoints come without this counter, which only training reads.
    faults["missing"] = [n for n in faults["missing"] if not n.endswith("num_batches_tracked")]
    refuse(faults, source=source)
    # Put into `own`, for that also says which version each module's weights have; some modules
    # refuse weights without one, or take them for those of their first version.
    own.update({n: v for n, v in state.items() if n in own and v.shape == own[n].shape})
    module.load_state_dict(own)


def refuse(faults: Mapping[str, list[str]], *, source: str) -> None:
    """Raise `WeightsError` if there are names under any kind of fault."""
    if any(faults.values()):
        told = "; ".join(f"{kind}: {some(names)}" for kind, names in faults.items() if names)
        raise WeightsError(f"The weights of {source} do not fit their architecture. {told}.")


def refuse_misfits(
    own: Mapping[str, torch.Tensor], others: Mapping[str, torch.Tensor], *, source: str
) -> None:
    """Raise `WeightsError` unless others have the names, shapes and types of one's own tensors."""
    both = own.keys() & others.keys()
    faults = {
        "missing": sorted(own.keys() - others.keys()),
        "unexpected": sorted(others.keys() - own.keys()),
        "of another shape": sorted(n for n in both if own[n].shape != others[n].shape),
        "of another type": sorted(n for n in both if own[n].dtype != others[n].dtype),
    }
    refuse(faults, source=source)


def some(names: list[str], most: int = 5) -> str:
    """Name the first few, and how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def check_digest(path: Path, sha256: str) -> None:
    """Raise `WeightsError` unless the file's content is exactly what was published."""
    if not path.is_file():
        raise WeightsError(f"There is no file {str(path)!r}. Reinstall its package.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise WeightsError(
            f"{str(path)!r} is not the file that was published: its sha256 is {found}, "
            f"expected {sha256}. It is damaged or was changed: reinstall its package."
        )


def announce_download(what: str, size: str, *, fix: str) -> None:
    """Say what is about to be fetched and how large it is, or refuse when offline.

    Raises
    ------
    OfflineError
        See `refuse_offline`.
    """
    refuse_offline(f"{what} ({size})", fix=fix)
    logger.warning("sktransfer downloads %s (%s), once.", what, size)


def refuse_offline(what: str, *, fix: str) -> None:
    """Raise `OfflineError` with `fix`, what to do instead, if the environment forbids downloads."""
    for variable in ("SKTRANSFER_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(variable, "").lower() in {"1", "true", "yes", "on"}:
            raise OfflineError(
                f"{what} is not on this machine, and {variable} forbids to fetch it. {fix}"
            )
