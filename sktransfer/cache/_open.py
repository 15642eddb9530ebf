"""From the parameter ``cache`` of an estimator to an open cache, one a folder."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import platformdirs

from sktransfer.cache._environment import Environment
from sktransfer.cache._limit import size_limit
from sktransfer.cache._store import FeatureCache, LmdbCache, NoCache
from sktransfer.cache._trouble import TROUBLE, warn_once

FOLDER_VARIABLE = "SKTRANSFER_CACHE"

_lock = threading.Lock()
_caches: dict[Path, LmdbCache] = {}
_held = ExitStack()


def open_cache(cache: bool | str | os.PathLike) -> FeatureCache:
    """Return the cache that the parameter ``cache`` of an estimator means.

    Parameters
    ----------
    cache : bool, str or path-like
        True for the user's folder (``SKTRANSFER_CACHE`` where it is set), False for a
        cache that never holds anything, or a folder.

    Returns
    -------
    FeatureCache
        The same object for the same folder. Where the folder cannot be used, a
        `CacheWarning` says why, and the cache never holds anything; the next call
        tries again.

    Raises
    ------
    TypeError
        If ``cache`` is none of these.
    ValueError
        If no folder can be called so (an empty name), or ``SKTRANSFER_CACHE_LIMIT`` no size.
    """
    folder = cache_folder(cache)
    if folder is None:
        return NoCache()
    limit = size_limit()
    try:
        found = cache_in(folder)
        found.environment.open(limit)
    except TROUBLE as error:
        warn_once(folder, error)
        return NoCache()
    return found


def cache_folder(cache: bool | str | os.PathLike) -> Path | None:
    """Return the real path of the folder that ``cache`` means; None for False."""
    if isinstance(cache, bool | np.bool_):
        return _real_path(_user_folder()) if cache else None
    if not isinstance(cache, str | os.PathLike):
        raise TypeError(f"cache must be True, False or a folder, got {cache!r}.")
    path = os.fsdecode(cache)
    if not path or "\0" in path:
        raise ValueError(f"cache must be True, False or a folder, got {path!r}.")
    return _real_path(Path(path))


def cache_in(folder: Path) -> LmdbCache:
    """Return the one cache of this process in a folder, not opened yet."""
    with _lock:
        for other in _caches.values():
            other.environment.close_if_removed()
        if folder not in _caches:
            _caches[folder] = LmdbCache(Environment(folder, size_limit()))
        return _caches[folder]


def _user_folder() -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("sktransfer")


def _real_path(path: Path) -> Path:
    # os.path.realpath and not Path.resolve, which raises on a loop of links.
    return Path(os.path.realpath(os.path.expanduser(path)))  # noqa: PTH111


def _hold_all() -> None:
    """Wait until no thread is in a transaction, and keep it so while the process forks.

    A child forked within a transaction could neither end it nor open the file anew.
    """
    # On a stack, so that after an interrupt just what is held is let go of.
    _held.enter_context(_lock)
    for cache in _caches.values():
        _held.enter_context(cache.environment.lock)


def _let_go_of_all() -> None:
    _held.close()


def _start_anew() -> None:
    global _lock, _held
    _lock, _held = threading.Lock(), ExitStack()
    for cache in _caches.values():
        cache.environment.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_hold_all, after_in_parent=_let_go_of_all, after_in_child=_start_anew
    )
