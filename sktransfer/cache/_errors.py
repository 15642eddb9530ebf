"""Errors that make a cache unusable, and the warning that replaces them."""

import errno
import sqlite3
from pathlib import Path

from sktransfer._forks import at_fork
from sktransfer._warnings import warn
from sktransfer.exceptions import CacheWarning


class DamagedError(OSError):
    """A file of the cache does not hold what this package wrote."""


# Raised because of the state of the machine or of the files; they never reach the user.
CACHE_ERRORS = (OSError, sqlite3.Error)

# How the names of errors begin, of SQLite and of the system. SQLite reports a short write, as on a
# full disk, as an I/O error.
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_NO_SPACE = ("SQLITE_FULL", "SQLITE_IOERR", "ENOSPC", "EDQUOT", "EFBIG", "EIO")

_warned: set[tuple[Path, str, str]] = set()
#: Allow every warning to be issued again, as in a new process.
forget_warnings = _warned.clear
at_fork(after_in_child=forget_warnings)


def warn_once(folder: Path, error: Exception) -> None:
    """Issue a `CacheWarning` for an error, once per process, folder and kind of error.

    Parameters
    ----------
    folder : Path
        The folder of the cache.
    error : Exception
        One of `CACHE_ERRORS`.
    """
    reason = (folder, type(error).__name__, _name(error))
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
    return _name(error).startswith(_BUSY)


def _advice(folder: Path, error: Exception) -> str:
    name = _name(error)
    if isinstance(error, DamagedError) or name.startswith(_DAMAGED):
        return f"Empty it with sktransfer.clear_cache({str(folder)!r})."
    if is_busy(error):
        return "Another process has been writing to it for very long; check whether it hangs."
    if name.startswith(_NO_SPACE):
        return "Free some space, or set SKTRANSFER_CACHE to a folder on a larger disk."
    return "Set SKTRANSFER_CACHE or cache= to a local folder that can be written."


def _name(error: BaseException) -> str:
    """Return the name of an error of SQLite or of the system; empty for other errors."""
    number = getattr(error, "errno", None) or 0
    return getattr(error, "sqlite_errorname", None) or errno.errorcode.get(number, "")
