"""What a machine can do to a cache, and how the user hears of it: once."""

import errno
import threading
import warnings
from pathlib import Path

import lmdb

from sktransfer._forks import in_a_forked_child
from sktransfer.exceptions import CacheWarning


class DamagedError(OSError):
    """The data file does not hold what LMDB wrote there."""


# Everything that is the machine's doing rather than a mistake in the code: these never
# reach the user as exceptions.
TROUBLE = (OSError, lmdb.Error)

_DAMAGED = (DamagedError, lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError)
# EIO: LMDB's word for a write that came out short, as on a disk that is full by then.
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

_lock = threading.Lock()
_warned: set[tuple[Path, str]] = set()


def warn_once(folder: Path, error: Exception) -> None:
    """Warn of ``error``, unless this process was told the same of this folder before."""
    reason = (folder, f"{type(error).__name__} {_code(error)}")
    with _lock:
        if reason in _warned:
            return
        _warned.add(reason)
    warnings.warn(
        f"The feature cache in {folder} cannot be used: {error}. {_advice(folder, error)} "
        "The work goes on; what could not be stored is computed again when needed.",
        CacheWarning,
        stacklevel=3,
    )


@in_a_forked_child
def forget_warnings() -> None:
    """Let every warning be given again, as in a new process."""
    global _lock
    _lock = threading.Lock()
    _warned.clear()


def _advice(folder: Path, error: Exception) -> str:
    if isinstance(error, _DAMAGED):
        return f"Empty it with sktransfer.clear_cache({str(folder)!r})."
    if isinstance(error, TimeoutError):
        return "Another process is writing to it for very long; see what hangs."
    if isinstance(error, lmdb.MapFullError) or _code(error) in _NO_SPACE:
        return "Free some space, or set SKTRANSFER_CACHE to a folder on a larger disk."
    if _code(error) == errno.ENOMEM:
        return "Set SKTRANSFER_CACHE_LIMIT to a fraction of the memory that ulimit -v allows."
    return "Set SKTRANSFER_CACHE or cache= to a local folder that can be written."


def _code(error: Exception) -> int | None:
    """Return the number of the system's error, which LMDB carries in its own field."""
    return getattr(error, "code", None) or getattr(error, "errno", None)
