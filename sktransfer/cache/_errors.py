"""Errors that make a cache unusable, and the warning that replaces them."""

import errno
import sqlite3
import threading
from pathlib import Path

from sktransfer._forks import in_a_forked_child
from sktransfer._warnings import warn
from sktransfer.exceptions import CacheWarning


class DamagedError(OSError):
    """A file of the cache does not hold what this package wrote."""


# Raised because of the state of the machine or of the files; they never reach the user.
CACHE_ERRORS = (OSError, sqlite3.Error)

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
# SQLite reports a short write, as on a full disk, as an I/O error.
_NO_SPACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_NO_SPACE_SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

_lock = threading.Lock()
_warned: set[tuple[Path, str]] = set()


def warn_once(folder: Path, error: Exception) -> None:
    """Issue a `CacheWarning` for an error, once per process, folder and kind of error.

    Parameters
    ----------
    folder : Path
        The folder of the cache.
    error : Exception
        One of `CACHE_ERRORS`.
    """
    code = getattr(error, "sqlite_errorcode", getattr(error, "errno", None))
    reason = (folder, f"{type(error).__name__} {code}")
    with _lock:
        if reason in _warned:
            return
        _warned.add(reason)
    warn(
        f"The feature cache in {folder} cannot be used: {error}. {_advice(folder, error)} "
        "The computation continues; rows that could not be stored are computed again when needed.",
        CacheWarning,
    )


def is_busy(error: BaseException) -> bool:
    """Return whether another process held the lock for too long."""
    return _primary(error) in _BUSY


@in_a_forked_child
def forget_warnings() -> None:
    """Allow every warning to be issued again, as in a new process."""
    global _lock
    _lock = threading.Lock()
    _warned.clear()


def _advice(folder: Path, error: Exception) -> str:
    if isinstance(error, DamagedError) or _primary(error) in _DAMAGED:
        return f"Empty it with sktransfer.clear_cache({str(folder)!r})."
    if is_busy(error):
        return "Another process has been writing to it for very long; check whether it hangs."
    if _primary(error) in _NO_SPACE or getattr(error, "errno", None) in _NO_SPACE_SYSTEM:
        return "Free some space, or set SKTRANSFER_CACHE to a folder on a larger disk."
    return "Set SKTRANSFER_CACHE or cache= to a local folder that can be written."


def _primary(error: BaseException) -> int | None:
    """Return SQLite's result code without the extended bits; None for other errors."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
