"""A store of large binary objects beside the feature rows, one file each."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import xxhash

from sktransfer.cache._errors import warn_once
from sktransfer.cache._key import FORMAT_VERSION
from sktransfer.cache._limit import size_limit
from sktransfer.cache._private import make_private_folders

_SHARE = 5  # the files may take a fifth of the cache's limit
_CHECKSUM_SIZE = 16  # bytes
_ENDING, _UNFINISHED = ".bin", ".part"
_ABANDONED_AFTER = 24 * 3600  # seconds: the writer of an unfinished file that old was killed


class FileStore:
    """Binary objects by name, in files within the folder of a cache.

    Any number of threads and processes may use the same folder. Files are replaced atomically,
    and begin with a checksum of name and content; a file whose checksum does not match is
    treated as missing. If the folder cannot be used, a `CacheWarning` says why, and nothing is
    stored.

    Parameters
    ----------
    folder : Path or None
        The folder of the cache; None stores nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._home = folder / f"files-v{FORMAT_VERSION}" if folder else None

    def read(self, name: str) -> memoryview | None:
        """Return the content stored under a name; None if it is missing or damaged."""
        if self._home is None or not self._home.is_dir():
            return None
        try:
            path = _path(self._home, name)
            content = memoryview(path.read_bytes())
            with contextlib.suppress(OSError):  # on a read-only disk
                os.utime(path)  # time of the last use, for `_make_room`
        except FileNotFoundError:
            return None
        except OSError as error:
            warn_once(self._home.parent, error)
            return None
        checksum, content = content[:_CHECKSUM_SIZE], content[_CHECKSUM_SIZE:]
        return content if checksum == _checksum(name, [content]) else None

    def write(self, name: str, *parts: bytes) -> None:
        """Store the joined parts under a name; files unused for longest may be removed."""
        if self._home is None or sum(map(len, parts)) > size_limit() // _SHARE:
            return
        try:
            _write(_path(self._home, name), _checksum(name, parts), *parts)
            _make_room(self._home)
        except OSError as error:
            warn_once(self._home.parent, error)

    def remove(self) -> None:
        """Remove all files of this store, and nothing else.

        Raises
        ------
        OSError
            If they cannot be removed.
        """
        if self._home is not None and self._home.is_dir():
            make_private_folders(self._home.parent, self._home, ())
            for path in _files(self._home):
                path.unlink(missing_ok=True)


def _path(home: Path, name: str) -> Path:
    """Return the path of a file, after a check of its owner."""
    make_private_folders(home.parent, home, [name + _ENDING])
    return home / (name + _ENDING)


def _checksum(name: str, parts: Sequence[bytes | memoryview]) -> bytes:
    digest = xxhash.xxh3_128(name.encode())
    for part in parts:
        digest.update(part)
    return digest.digest()


def _write(path: Path, *parts: bytes) -> None:
    number, unfinished = tempfile.mkstemp(suffix=_UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.writelines(parts)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _make_room(home: Path) -> None:
    """Remove files that killed processes left, and those unused for longest."""
    files = []
    for path in _files(home):
        with contextlib.suppress(FileNotFoundError):  # removed by another process
            files.append((path.stat(), path))
    room, abandoned = size_limit() // _SHARE, time.time() - _ABANDONED_AFTER
    for status, path in sorted(files, key=lambda file: -file[0].st_mtime):
        unfinished = path.suffix == _UNFINISHED
        room -= 0 if unfinished else status.st_size
        if status.st_mtime < abandoned if unfinished else room < 0:
            path.unlink(missing_ok=True)


def _files(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.suffix in (_ENDING, _UNFINISHED)]
