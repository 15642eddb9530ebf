"""Backbones by name, from all sources."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import xxhash
from torch import nn

from sktransfer._forks import released_at_fork
from sktransfer._paths import expanded
from sktransfer._runtime import rest_after_fork, undisturbed
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._fingerprint import fingerprint
from sktransfer.backbones._list_backbones import BackboneTable, near_names
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import MODALITIES, modality_of

# Asked in this order for a name, and imported only then: each library takes seconds to import, and
# most workers need one of them. A source is a module or package of this folder with
#   owns(name) -> bool, rows() -> list of table rows,
#   load(name, weights=..., modality=..., random_state=...) -> Backbone.
# The predicate is a necessary condition on its names that needs no import.
SOURCES: dict[str, Callable[[str], bool]] = {
    "bundled": lambda name: True,
    "log_mel": lambda name: name == "log-mel",
    "torchvision": str.isidentifier,
    "timm": lambda name: name.startswith("timm:"),
    "huggingface": lambda name: True,
}

_loaded: dict[Hashable, Backbone] = {}
_MODULES_KEPT = 8
_TIMM_FOLDER = "timm:local-dir:"
_lock = released_at_fork(threading.RLock())


def get_backbone(
    backbone: str | Path | nn.Module | Any,
    *,
    modality: str,
    weights: str | Path | Enum | None = "pretrained",
    random_state: int = 0,
) -> Backbone:
    """Return the backbone of this name; it is loaded once per process.

    Parameters
    ----------
    backbone : str, Path, nn.Module or fitted estimator
        A name from `list_backbones`, ``"timm:<name>"``, a Hugging Face id or folder, a module, or
        an estimator with a method ``__sktransfer_backbone__``, which returns a digest and a
        function that makes the backbone.
    modality : str
        Name of the modality of its cells, as in `MODALITIES`.
    weights : str, Path, member of an enum of torchvision's or None
        "pretrained", a name of weights that the source knows, a file, or None for random ones.
    random_state : int
        Seed of random weights.

    Raises
    ------
    BackboneError
        If nothing of that name is known, or it is for another modality.
    WeightsError
        If its weights are missing or do not fit.
    """
    rest_after_fork()
    if isinstance(weights, Enum):
        weights = str(weights)
    key, load = _request(backbone, modality, weights, random_state)
    found = _load_once(key, load)
    if found.modality != modality:
        raise BackboneError(
            f"{found.name!r} is a backbone for {modality_of(found.modality).noun}s: use it in the "
            f"estimators of these, such as {found.modality.title()}Embedder."
        )
    return found


def _request(
    backbone: Any, modality: str, weights: str | Path | None, random_state: int
) -> tuple[Hashable, Callable[[], Backbone]]:
    """Return a key that is equal only for equal backbones, and a function that loads it."""
    if isinstance(backbone, type):
        raise BackboneError(f"backbone={backbone!r} is a class; pass one of its instances.")
    is_estimator = hasattr(backbone, "__sktransfer_backbone__")
    if (is_estimator or isinstance(backbone, nn.Module)) and weights != "pretrained":
        raise BackboneError(
            f"weights={weights!r} does not go with a {type(backbone).__name__}, which has its own; "
            "load them into a module first: module.load_state_dict(...)."
        )
    if is_estimator:
        digest, make = backbone.__sktransfer_backbone__()
        return ("estimator", digest), make
    if isinstance(backbone, nn.Module):
        mark = fingerprint(backbone, getattr(backbone, "recipe", None))
        load = _source("module").load
        return ("module", mark, modality), lambda: load(backbone, modality=modality)
    name, weights = _expanded(backbone), _expanded(weights)
    source = _source_of(name)
    is_local = source is _source("huggingface") or name.startswith(_TIMM_FOLDER)
    folder = stamp(name.removeprefix(_TIMM_FOLDER)) if is_local else None
    options = {"weights": weights, "modality": modality, "random_state": random_state}
    key = (name, folder, stamp(weights), *options.values())
    return key, lambda: source.load(name, **options)


def list_backbones(*, modality: str | None = None, source: str | None = None) -> BackboneTable:
    """List the backbones that can be used by name.

    Parameters
    ----------
    modality : str, optional
        Only those for this kind of cell.
    source : {"bundled", "log_mel", "torchvision", "timm", "huggingface"}, optional
        Only those of this source. timm's many hundreds are listed only when asked for so.

    Returns
    -------
    BackboneTable
        A list of dicts with the keys name, source, modality, parameters, feature_size,
        input_size (pixels, tokens or seconds), licence and on_this_machine; it prints as a
        table, and ``pandas.DataFrame(list_backbones())`` makes a frame of it.

    Examples
    --------
    >>> from sktransfer import list_backbones
    >>> table = list_backbones(source="bundled")
    >>> [row["name"] for row in table]
    ['efficientnet_lite0', 'efficientnet_lite2', 'all-MiniLM-L6-v2', 'whisper-tiny.en']
    >>> table[0]["feature_size"]
    1280
    """
    if modality is not None and modality not in MODALITIES:
        raise BackboneError(f"modality={modality!r} is none of {', '.join(MODALITIES)}.")
    if source is not None and source not in SOURCES:
        raise BackboneError(f"source={source!r} is none of {', '.join(SOURCES)}.")
    asked = [source] if source else [name for name in SOURCES if name != "timm"]
    rows = [{"source": name, **row} for name in asked for row in _source(name).rows()]
    return BackboneTable(row for row in rows if modality in (None, row["modality"]))


def _load_once(key: Hashable, load: Callable[[], Backbone]) -> Backbone:
    # One lock for all: two threads must not load the same weights twice, and seeding random
    # weights affects the whole process anyway.
    with _lock:
        if key not in _loaded:
            # Weights made in inference mode could never take part in a gradient.
            with torch.inference_mode(False), undisturbed():
                found = load()
            if not isinstance(found, Backbone):
                raise BackboneError(
                    "__sktransfer_backbone__ must return a digest and a function that returns a "
                    f"Backbone; the function returned a {type(found).__name__}."
                )
            _loaded[key] = found
            _forget_old_modules()
        return _loaded[key]


def _forget_old_modules() -> None:
    """Forget all but the newest networks of the user's: each is a copy with its weights."""
    modules = [key for key, found in _loaded.items() if found.source in ("module", "estimator")]
    for key in modules[:-_MODULES_KEPT]:
        del _loaded[key]


def _source(name: str) -> ModuleType:
    return import_module(f"sktransfer.backbones.{name}")


def _source_of(name: str) -> ModuleType:
    for source, may_own in SOURCES.items():
        if may_own(name) and _source(source).owns(name):
            return _source(source)
    if Path(name).is_file():
        raise BackboneError(
            f"{name!r} is a file of weights, which does not say what network they are for: "
            f"name that, and pass the file as weights: backbone='resnet18', weights={name!r}."
        )
    near = near_names(name, [row["name"] for row in list_backbones()])
    raise BackboneError(
        f"There is no backbone {name!r}{near} "
        "sktransfer.list_backbones() prints the names; a Hugging Face id has the form "
        "'organisation/name', a timm model 'timm:<name>', a local model is the path of its folder."
    )


def _expanded(given: str | Path | None) -> Any:
    """Return a name of a backbone or weights; if it is a path in the home folder, in full."""
    place = str(given).removeprefix(_TIMM_FOLDER)
    if given is None or not place.startswith("~"):
        return None if given is None else str(given)
    return str(given).replace(place, str(expanded(place)))


def stamp(path: str | Path | None) -> str | None:
    """Return a digest of the state of a local file or folder, so that new weights are read."""
    if path in (None, "", "pretrained") or not Path(str(path)).exists():
        return None
    place = Path(str(path)).absolute()
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    states = [(file, file.stat()) for file in files if file.exists()]
    # Without the time of the last access.
    stamps = [(str(f), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for f, s in states]
    return xxhash.xxh3_128_hexdigest(repr(stamps).encode())
