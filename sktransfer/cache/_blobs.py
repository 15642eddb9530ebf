"""Large things that take long to make, kept beside the rows: one file each."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import xxhash

from sktransfer.cache._files import make_private_folders
from sktransfer.cache._key import FORMAT_VERSION
from sktransfer.cache._limit import size_limit
from sktransfer.cache._trouble import warn_once

_SHARE = 5  # of the cache's limit they take at most the fifth part
_CHECKSUM_SIZE = 16  # bytes
_ENDING, _UNFINISHED = ".blob", ".part"
_LEFT_AFTER = 24 * 3600  # seconds: whoever wrote an unfinished file that old was killed
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Blobs:
    """Bytes by name, in files of the folder of a cache; whole, or not there.

    Any number of threads and processes may use the same folder. A file begins with a checksum
    of its name and its content; one that does not fit is not there. Where the folder cannot be
    used, a `CacheWarning` says why, and nothing is kept.

    Parameters
    ----------
    folder : Path or None
        The folder of the cache; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, name: str) -> memoryview | None:
        """Return what is kept under a name; None where there is nothing sound."""
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
        """Keep bytes under a name, in place of what was there; those unused longest may go."""
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
        """Remove all files of this kind, and nothing else.

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
        """Return the path of the last name, after a look at whose files these are."""
        assert self._folder is not None
        home = _home(self._folder)
        files = [name + _ENDING for name in names]
        make_private_folders(self._folder, home, files)
        return home.joinpath(*files)


def _home(folder: Path) -> Path:
    return folder / f"blobs-v{FORMAT_VERSION}"


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
    with contextlib.suppress(OSError):  # of a disk that can only be read
        os.utime(path)  # the last use, for `_make_room`
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
    """Remove what killed processes left, and files unused for longest until the rest fits."""
    room = _limit()
    for path, status in sorted(_statuses(home), key=lambda one: -one[1].st_mtime):
        if path.suffix == _UNFINISHED:
            useless = time.time() - status.st_mtime > _LEFT_AFTER
        else:
            room -= status.st_size
            useless = room < 0
        if useless:
            path.unlink(missing_ok=True)


def _statuses(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in _files(home):
        with contextlib.suppress(FileNotFoundError):  # another process makes room too
            yield path, path.lstat()


def _files(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.suffix in (_ENDING, _UNFINISHED)]
