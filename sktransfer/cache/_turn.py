"""Whose turn it is to write: one process at a time, with a bounded wait.

LMDB has such a lock of its own, but waits for it without end: a process that was
stopped in the middle of a write would stop all others. And clearing the cache takes
away the files, which must not happen while another process opens them.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        # lockf and not flock: its locks are not inherited by a forked child.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_PAUSE = 0.002  # seconds between two attempts


@contextmanager
def turn_to_write(path: Path, wait: float) -> Iterator[None]:
    """Hold the lock file at ``path``, which only one process can.

    Within one process the caller sees to it that only one thread is here: the system
    counts such locks by process.

    Parameters
    ----------
    path : Path
        The lock file; made where it is missing, and never removed.
    wait : float
        Seconds to wait for other processes.

    Raises
    ------
    TimeoutError
        If the others took longer.
    OSError
        If the file system refuses.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o600)
    try:
        deadline = time.monotonic() + wait
        while not _locked(file):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"another process held {path} for more than {wait:g} s")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(file)  # and with it goes the lock


def _locked(file: int) -> bool:
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):  # the two ways to say "held by another"
        return False
    return True
