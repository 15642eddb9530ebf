"""What may lie in the folder of the cache: the user's own files, and room for them."""

import errno
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

DATA, LOCK, TURN, NOTE = "data.mdb", "lock.mdb", "turn.lock", "sound"

MOST_READERS = 1000  # processes that read at the same time; LMDB's own default is 126
_LOCK_SIZE = 64 * (MOST_READERS + 4)  # bytes: one cache line a reader, and LMDB's header
_ENOUGH = 1024**2  # bytes that LMDB's own files take when they are made


def make_private_folders(folder: Path, home: Path, names: Iterable[str]) -> None:
    """Make the folders where they are missing, and see that no other user has a hand in them.

    Whoever owns a folder of the cache decides what rows are read from it, and a link in it can
    make this process write elsewhere. So in a place where all may write, as ``/tmp``, a folder
    that somebody else has made first is not used.

    Parameters
    ----------
    folder : Path
        What the user has named. It may also be the system's (owned by root).
    home : Path
        The folder within it where the files lie.
    names : iterable of str
        Of the files that may lie there.

    Raises
    ------
    PermissionError
        If one of them belongs to another user, or something in `home` is a link.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_owner(folder, folder.stat(), _me(), 0)
    _make_private(home, stat.S_IFDIR)
    home.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        _make_private(home / name, stat.S_IFREG)


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from every other; None where it cannot be reached."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # not there, out of reach, or no possible path
        return None
    return status.st_dev, status.st_ino


def make_lock_file(home: Path) -> None:
    """Make LMDB's lock file at its full size where there is none.

    LMDB would make it with holes and write to it through a memory map: on a disk that is full by
    then, that would kill the process instead of raising an error.

    Raises
    ------
    OSError
        If there is no room.
    """
    path = home / LOCK
    if path.exists():
        return
    if shutil.disk_usage(home).free < _ENOUGH:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(home))
    try:
        path.touch(mode=0o600)
        path.write_bytes(bytes(_LOCK_SIZE))
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _make_private(path: Path, kind: int) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_IFMT(status.st_mode) != kind:
        what = "a link" if stat.S_ISLNK(status.st_mode) else "not what belongs there"
        raise PermissionError(errno.EPERM, f"this is {what}; remove it", str(path))
    _refuse_owner(path, status, _me())
    if status.st_mode & 0o077:  # from a backup, say; some file systems have no modes
        path.chmod(status.st_mode & 0o700)


def _refuse_owner(path: Path, status: os.stat_result, *allowed: int) -> None:
    if status.st_uid not in allowed and _me() >= 0:
        told = f"this belongs to another user (number {status.st_uid})"
        raise PermissionError(errno.EPERM, told, str(path))


def _me() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else -1
