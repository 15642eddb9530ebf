"""A file becomes an estimator."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load as load_tensors

from sktransfer.backbones import Packed, keep_from_file, unpack
from sktransfer.base import use_state_hooks
from sktransfer.exceptions import PersistenceError, SktransferError
from sktransfer.persistence._archive import Members, read_file
from sktransfer.persistence._content import check_content
from sktransfer.persistence._estimators import Loaded
from sktransfer.persistence._manifest import Manifest
from sktransfer.persistence._save import ESTIMATOR
from sktransfer.persistence._skops import construct, from_bytes, parsed
from sktransfer.persistence._trust import check_trusted, names_in, names_of, types_of

if TYPE_CHECKING:
    from torch import nn

_NAMES = re.compile(
    r"manifest\.json|estimator\.skops|trained/\d+\.safetensors|backbones/\d+\.(json|safetensors)"
)


def load(
    path: str | os.PathLike[str],
    *,
    trusted: Iterable[str | type | Callable[..., Any]] | str = (),
    modules: Iterable[nn.Module] = (),
) -> Any:
    """Make the estimator that `save` has written to a file.

    Nothing in the file is executed. It is read whole and looked at first, and what is unknown
    or damaged is refused; an estimator comes back whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Of the file.
    trusted : iterable of str, types or functions
        What the file may name besides NumPy's, SciPy's, scikit-learn's and our own types: full
        names, as the error lists them, or the types and functions themselves. A function that
        is trusted may be called with anything that the file says.
    modules : iterable of nn.Module
        Networks of your own that estimators in the file have as their backbone, with the
        weights that they had. They are known by their fingerprints.

    Returns
    -------
    estimator
        It predicts as the one that was saved, and goes on learning from where that was.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    UntrustedError
        If it names types or functions that are not trusted: all of them are listed.
    PersistenceError
        If it is damaged, or something else.
    WeightsError
        If a backbone is not on this machine, or not what it was in fit.

    Warns
    -----
    VersionWarning
        If it was saved with other versions of what computes.

    See Also
    --------
    save : The way there; with an example.
    """
    what = repr(str(Path(path)))
    members = read_file(Path(path), _NAMES)
    manifest = Manifest.read(members, what)
    names = names_of(trusted)
    try:
        return _estimator(members, manifest, names, modules, what)
    except PersistenceError as error:
        if what in str(error):
            raise
        raise PersistenceError(f"{what} is refused: {error}.") from error
    except SktransferError:
        raise
    except Exception as error:  # whatever wrong values lead to
        raise PersistenceError(
            f"{what} cannot be loaded ({type(error).__name__}: {error}). It is damaged, or was "
            "saved with other versions of the libraries."
        ) from error


def _estimator(
    members: Members,
    manifest: Manifest,
    trusted: frozenset[str],
    modules: Iterable[nn.Module],
    what: str,
) -> Any:
    tree = from_bytes(members[ESTIMATOR], what)
    check_trusted(tree, trusted, what)
    if types_of(tree) != list(manifest.types):
        raise PersistenceError("its list of types is not what is in it")
    check_content(tree)
    manifest.warn_of_versions(what)
    _adopt(members, manifest)
    loaded = Loaded()
    with use_state_hooks(loaded):
        estimator = construct(tree, names_in(tree))
    loaded.complete(members, manifest.needs, modules)
    return estimator


def _adopt(members: Members, manifest: Manifest) -> None:
    """Take over the weights of a standalone file."""
    packed = {name for name in members if name.startswith("backbones/")}
    for number, need in enumerate(manifest.needs if manifest.standalone else ()):
        about, weights = f"backbones/{number}.json", f"backbones/{number}.safetensors"
        packed -= {about, weights}
        content = Packed(parsed(members[about], about), load_tensors(members[weights]))
        backbone = unpack(content, fingerprint=need.fingerprint)
        keep_from_file(backbone, named=need.name, weights=need.weights)
    if packed:
        raise PersistenceError(
            f"it has weights of backbones that it does not need: {sorted(packed)}"
        )
