"""A store of large binary objects beside the feature rows, one file each."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
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
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


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
        self._folder = folder

    def read(self, name: str) -> memoryview | None:
        """Return the content stored under a name; None if it is missing or damaged."""
        if self._folder is None or not _home(self._folder).is_dir():
            return None
        try:
            content = memoryview(_read(self._private(name)))
        except FileNotFoundError:
            return None
        except OSError as error:
            warn_once(self._folder, error)
            return None
        checksum, content = content[:_CHECKSUM_SIZE], content[_CHECKSUM_SIZE:]
        return content if checksum == _checksum(name, [content]) else None

    def write(self, name: str, *parts: bytes) -> None:
        """Store the joined parts under a name; files unused for longest may be removed."""
        size = sum(map(len, parts))
        if self._folder is None or size > _limit():
            return
        try:
            path = self._private(name)
            _write(path, _checksum(name, parts), *parts)
            _make_room(path.parent)
        except OSError as error:
            warn_once(self._folder, error)

    def remove(self) -> None:
        """Remove all files of this store, and nothing else.

        Raises
        ------
        OSError
            If they cannot be removed.
        """
        if self._folder is None or not _home(self._folder).is_dir():
            return
        self._private()
        for path in _files(_home(self._folder)):
            path.unlink(missing_ok=True)

    def _private(self, *names: str) -> Path:
        """Return the path of a file, or of the folder, after a check of their owner."""
        assert self._folder is not None
        home = _home(self._folder)
        files = [name + _ENDING for name in names]
        make_private_folders(self._folder, home, files)
        return home.joinpath(*files)


def _home(folder: Path) -> Path:
    return folder / f"files-v{FORMAT_VERSION}"


def _limit() -> int:
    return size_limit() // _SHARE


def _checksum(name: str, parts: Sequence[bytes | memoryview]) -> bytes:
    digest = xxhash.xxh3_128(name.encode())
    for part in parts:
        digest.update(part)
    return digest.digest()


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINKS), "rb") as file:
        content = file.read()
    with contextlib.suppress(OSError):  # on a read-only disk
        os.utime(path)  # time of the last use, for `_make_room`
    return content


def _write(path: Path, *parts: bytes) -> None:
    number, unfinished = tempfile.mkstemp(suffix=_UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)  # noqa: PTH105
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _make_room(home: Path) -> None:
    """Remove files that killed processes left, and those unused for longest."""
    room = _limit()
    for path, status in sorted(_statuses(home), key=lambda one: -one[1].st_mtime):
        if path.suffix == _UNFINISHED:
            removable = time.time() - status.st_mtime > _ABANDONED_AFTER
        else:
            room -= status.st_size
            removable = room < 0
        if removable:
            path.unlink(missing_ok=True)


def _statuses(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in _files(home):
        with contextlib.suppress(FileNotFoundError):  # removed by another process
            yield path, path.lstat()


def _files(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.suffix in (_ENDING, _UNFINISHED)]
