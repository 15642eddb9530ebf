"""Read an estimator from a file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from safetensors.torch import load as load_tensors

from sktransfer._paths import expanded
from sktransfer.backbones import keep_from_file, unpack
from sktransfer.base import use_state_hooks
from sktransfer.exceptions import PersistenceError, SktransferError
from sktransfer.persistence._archive import Members, read_file
from sktransfer.persistence._estimator_hooks import LoadHooks
from sktransfer.persistence._manifest import ESTIMATOR, Manifest, parsed
from sktransfer.persistence._trust import names_of, read_object

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
    """Read an estimator from a file that `save` has written.

    Nothing in the file is executed. It is read whole, and its names are checked before anything is
    made of it; what is unknown or damaged is refused, and an estimator comes back whole or not at
    all.

    Parameters
    ----------
    path : str or path-like
        Path of the file.
    trusted : iterable of str, types or functions
        Names allowed besides those of NumPy, SciPy, scikit-learn and this package: full names,
        as the error lists them, or the types and functions themselves. A trusted function may
        be called with any value in the file.
    modules : iterable of nn.Module
        Your own networks that estimators in the file have as their backbone, with the weights
        that they had then. They are identified by their fingerprints.

    Returns
    -------
    estimator
        It predicts as the one that was saved, and can be trained further.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    UntrustedError
        If types or functions are not trusted; it lists all of them.
    PersistenceError
        If the file is damaged, of another format, or of another version of the format.
    WeightsError
        If a backbone is missing on this machine, or has changed since fit.

    Warns
    -----
    VersionWarning
        If the file was saved with other versions of the libraries that compute.

    See Also
    --------
    save : Write the file; with an example.
    """
    what = repr(str(expanded(path)))
    members = read_file(expanded(path), _NAMES)
    manifest = Manifest.read(members, what)
    names = names_of(trusted)
    hooks = LoadHooks()
    with _refused(what), use_state_hooks(hooks):
        estimator, _ = read_object(members[ESTIMATOR], names, what)
    manifest.warn_of_versions(what)
    with _refused(what):
        _adopt(members, manifest)
        hooks.complete(members, manifest.needs, modules)
    return estimator


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Turn any error that values in a file lead to into one that names the file."""
    try:
        yield
    except SktransferError as error:
        if not isinstance(error, PersistenceError) or what in str(error):
            raise
        raise PersistenceError(f"{what} is refused: {error}.") from error
    except Exception as error:
        raise PersistenceError(
            f"{what} cannot be loaded ({type(error).__name__}: {error}). It is damaged, or was "
            "saved with other versions of the libraries."
        ) from error


def _adopt(members: Members, manifest: Manifest) -> None:
    """Register the backbones of a standalone file for the estimators in it."""
    for number, need in enumerate(manifest.needs if manifest.standalone else ()):
        about, weights = f"backbones/{number}.json", f"backbones/{number}.safetensors"
        content = parsed(members[about], about), load_tensors(members[weights])
        backbone = unpack(*content, fingerprint=need.fingerprint)
        keep_from_file(backbone, named=need.name, weights=need.weights)
