"""Write an estimator to a file."""

from __future__ import annotations

import json
import os
from typing import Any

from safetensors.torch import save as tensors_to_bytes

from sktransfer._paths import expanded
from sktransfer._warnings import warn
from sktransfer.backbones import Backbone, pack, unpack
from sktransfer.base import use_state_hooks
from sktransfer.exceptions import PersistenceError, SktransferError, UntrustedWarning
from sktransfer.persistence._archive import write_file
from sktransfer.persistence._estimator_hooks import LoadHooks, SaveHooks, needs_of
from sktransfer.persistence._manifest import (
    ESTIMATOR,
    MANIFEST,
    Manifest,
    digests_of,
    versions_here,
)
from sktransfer.persistence._skops import to_bytes
from sktransfer.persistence._trust import listed, read_object


def save(estimator: Any, path: str | os.PathLike[str], *, standalone: bool = False) -> None:
    """Write an estimator to a file that `load` reads.

    The file holds plain data only: what scikit-learn has learned, the trained weights of
    networks, and the fingerprints of backbones, which are looked up where it is loaded.

    Parameters
    ----------
    estimator : estimator
        One of ours, or a Pipeline, a search or any other estimator of scikit-learn with some
        of ours in it; fitted or not.
    path : str or path-like
        Path of the file. An existing file stays until all of the new one is written.
    standalone : bool, default=False
        Whether to write the weights of the backbones too. Loading then needs neither a
        network nor packages of weights.

    Raises
    ------
    PersistenceError
        If a parameter or a learned attribute cannot be saved, or `path` is no regular file.
    WeightsError
        If a backbone has changed since fit.
    OSError
        If the file cannot be written.

    Warns
    -----
    UntrustedWarning
        If `load` will refuse the file unless types or functions in it are passed as `trusted`, or
        networks of your own as `modules`.

    See Also
    --------
    load : Read the file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktransfer import TextEmbedder, load, save
    >>> texts, y = ["a cat", "a kitten", "tax return", "tax law"], [0, 0, 1, 1]
    >>> model = make_pipeline(TextEmbedder(cache=False), LogisticRegression()).fit(texts, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.skt")
    ...     load(f"{folder}/model.skt").predict(["a dog", "the tax"]).tolist()
    [0, 1]
    """
    hooks = SaveHooks()
    content, unknown = _described(estimator, hooks)
    estimators = list(hooks.estimators.values())
    needs = needs_of(estimators)
    members = {ESTIMATOR: content, **hooks.members}
    if standalone:
        if estimators and not any(e.__sklearn_is_fitted__() for e in estimators):
            raise PersistenceError(
                "standalone=True writes the weights of the fit, and nothing is fitted here. Fit "
                "first, or save with standalone=False."
            )
        members |= _weights(list(needs.values()))
    manifest = Manifest(versions_here(), digests_of(members), tuple(needs), standalone)
    conditions = [f"these are trusted: {listed(unknown)}"] if unknown else []
    if hooks.modules:
        conditions.append(
            f"your own network ({', '.join(sorted(hooks.modules))}), whose code is not in the "
            "file, is passed with the same weights: load(path, modules=[module])."
        )
    if conditions:
        message = f"{str(path)!r} will not load unless {' And unless '.join(conditions)}"
        warn(message, UntrustedWarning)
    write_file({MANIFEST: manifest.to_bytes(), **members}, expanded(path))


def _described(estimator: Any, hooks: SaveHooks) -> tuple[bytes, dict[str, str]]:
    """Return `_checked` of an estimator, or raise an error that names the parameter at fault."""
    try:
        return _checked(estimator, hooks)
    except Exception as error:  # of skops, or of any type in the estimator
        if isinstance(error, SktransferError) and not isinstance(error, PersistenceError):
            raise
        raise PersistenceError(
            f"{_fault(estimator)} cannot be saved ({type(error).__name__}: {error}). Nothing was "
            "written. Functions and classes must be attributes of a module that can be "
            "imported, and keys of a dict str or numbers."
        ) from error


def _checked(value: Any, hooks: SaveHooks) -> tuple[bytes, dict[str, str]]:
    """Return a value as bytes that can be loaded, and are equal then, and the untrusted names."""
    with use_state_hooks(hooks):
        content = to_bytes(value)
    with use_state_hooks(LoadHooks()):
        again, unknown = read_object(content, None, "it")
        if to_bytes(again) != content:
            raise PersistenceError("it would not be equal after loading")
    return content, unknown


def _fault(estimator: Any) -> str:
    """Return the estimator's name, and the innermost parameter that cannot be saved alone."""
    kind = type(estimator).__name__
    parameters = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    faults = [name for name, value in parameters.items() if not _can_be_saved(value)]
    if not faults:
        return kind
    name = max(faults, key=lambda name: name.count("__"))
    return f"{kind}: the parameter {name}, a {type(parameters[name]).__name__},"


def _can_be_saved(value: Any) -> bool:
    try:
        _checked(value, SaveHooks())
    except Exception:  # of skops, or of any type in the estimator
        return False
    return True


def _weights(backbones: list[Backbone]) -> dict[str, bytes]:
    members = {}
    for number, backbone in enumerate(backbones):
        about, weights = pack(backbone)
        # A backbone that cannot be built again is an error here, not where it is loaded.
        unpack(about, weights, fingerprint=backbone.fingerprint)
        members[f"backbones/{number}.json"] = json.dumps(about).encode()
        members[f"backbones/{number}.safetensors"] = tensors_to_bytes(weights)
    return members
