"""From the parameter `cache` of an estimator to an open cache, one per folder."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import platformdirs

from sktransfer._forks import at_fork
from sktransfer._paths import expanded
from sktransfer.cache._database import Database
from sktransfer.cache._errors import CACHE_ERRORS, warn_once
from sktransfer.cache._feature_cache import FeatureCache, NoCache
from sktransfer.cache._reading_only import ReadOnlyCache, is_reading_only
from sktransfer.cache._size_limit import size_limit
from sktransfer.cache._sqlite_cache import SqliteCache

FOLDER_VARIABLE = "SKTRANSFER_CACHE"

_lock = threading.Lock()
_caches: dict[Path, SqliteCache] = {}
_held = ExitStack()


def open_cache(cache: bool | str | os.PathLike) -> FeatureCache:
    """Return the cache that the parameter `cache` of an estimator means.

    Parameters
    ----------
    cache : bool, str or path-like
        True for the user's folder (``SKTRANSFER_CACHE`` if it is set), False for a
        cache that stores nothing, or a folder.

    Returns
    -------
    FeatureCache
        The same object for the same folder, or a view of it under `reading_only`. If the folder
        cannot be used, or there is no home folder, a `CacheWarning` says why and the cache
        stores nothing; the next call tries again.

    Raises
    ------
    TypeError
        If `cache` is none of these.
    ValueError
        If `cache` cannot be the name of a folder, or ``SKTRANSFER_CACHE_LIMIT`` is no size.
    """
    folder = cache_folder(cache)
    if folder is None:
        return NoCache()
    limit = size_limit()
    try:
        found = cache_in(folder)
        found.database.limit = limit
        with found.database.transaction(write=False):  # only to see whether it can be used
            return ReadOnlyCache(found) if is_reading_only() else found
    except CACHE_ERRORS as error:
        warn_once(folder, error)
        return NoCache()


def cache_folder(cache: bool | str | os.PathLike) -> Path | None:
    """Return the real path of the folder that `cache` means.

    Returns
    -------
    Path or None
        None for False, and, with a `CacheWarning`, if there is no home folder.
    """
    if isinstance(cache, bool | np.bool_):
        if not cache:
            return None
        path = os.environ.get(FOLDER_VARIABLE)
    elif isinstance(cache, str | os.PathLike):
        path = os.fsdecode(cache)
        if not path or "\0" in path:
            raise ValueError(f"cache must be True, False or a folder, got {path!r}.")
    else:
        raise TypeError(f"cache must be True, False or a folder, got {cache!r}.")
    try:
        folder = str(expanded(path or str(platformdirs.user_cache_path("sktransfer"))))
        if folder.startswith("~"):
            raise FileNotFoundError(f"the home folder of {folder!r} is unknown")
        # os.path.realpath instead of Path.resolve, which raises on a loop of links.
        return Path(os.path.realpath(folder))
    except (OSError, RuntimeError) as error:  # no home folder, or no entry for this user
        warn_once(Path("~"), error)
        return None


def cache_in(folder: Path) -> SqliteCache:
    """Return the one cache of this process in a folder, which need not be open yet."""
    with _lock:
        for other in _caches.values():
            if not other.database.exists():
                other.database.close()  # frees the disk space of a removed file
        if folder not in _caches:
            _caches[folder] = SqliteCache(Database(folder, size_limit()))
        return _caches[folder]


def _close_all() -> None:
    """Close all connections before the process forks, and let no thread open another one.

    A child must not use, nor close, a connection of its parent. And as SQLite keeps account of
    its locks by process, a child that inherited an open one would take locks for held that are not.
    """
    # On a stack, so that after an interrupt exactly the locks that are held are released.
    _held.enter_context(_lock)
    for cache in _caches.values():
        _held.enter_context(cache.database.lock)
        cache.database.close()


def _release_all() -> None:
    # All at once off the stack: when the last lock is released, another thread that forks may push.
    _held.pop_all().close()


def _start_anew() -> None:
    global _lock, _held
    _lock, _held = threading.Lock(), ExitStack()
    for cache in _caches.values():
        cache.database.lock = threading.RLock()


at_fork(before=_close_all, after_in_parent=_release_all, after_in_child=_start_anew)
