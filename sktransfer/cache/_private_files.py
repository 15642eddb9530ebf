"""Files that belong to the user alone."""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path


def make_private_folders(folder: Path, home: Path, names: Iterable[str]) -> None:
    """Create the folders that are missing, and check that no other user controls them.

    The owner of a folder of the cache decides which rows are read from it, and a link in it can
    redirect writes. So a folder that another user created first, say in ``/tmp``, is not used.

    Parameters
    ----------
    folder : Path
        The folder that the user named. It may also belong to root.
    home : Path
        The folder within it that holds the files.
    names : iterable of str
        Names of the files that may be in `home`.

    Raises
    ------
    PermissionError
        If one of them belongs to another user, or something in `home` is a link.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_owner(folder, folder.stat(), _user(), 0)
    _make_private(home, stat.S_IFDIR)
    home.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        _make_private(home / name, stat.S_IFREG)


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode number of a file; None if it cannot be reached."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # missing, not accessible, or an impossible path
        return None
    return status.st_dev, status.st_ino


def _make_private(path: Path, kind: int) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_IFMT(status.st_mode) != kind:
        what = "a link" if stat.S_ISLNK(status.st_mode) else "not what belongs there"
        raise PermissionError(errno.EPERM, f"this is {what}; remove it", str(path))
    _check_owner(path, status, _user())
    if status.st_mode & 0o077:  # restored from a backup, say; some file systems have no modes
        path.chmod(status.st_mode & 0o700)


def _check_owner(path: Path, status: os.stat_result, *allowed: int) -> None:
    if status.st_uid not in allowed and _user() >= 0:
        reason = f"this belongs to another user (number {status.st_uid})"
        raise PermissionError(errno.EPERM, reason, str(path))


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else -1
