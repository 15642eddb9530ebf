"""Cells that are paths: opened safely, digested by content, remembered while unchanged."""

import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import NamedTuple

from sktransfer.cache import FeatureCache
from sktransfer.columns import name_cell
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._digests import file_digest, status_digest

# O_NONBLOCK: a named pipe that has replaced a file must not block. Windows has neither the flag
# nor such pipes, and needs O_BINARY.
_OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_FILE_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# Some file systems keep times in steps of 2 seconds; within one step a file can be rewritten at
# the same size without a trace.
_RACY_NS = 2_000_000_000


class FileCell(NamedTuple):
    """A path in a column, with the status that its file had when it was first seen."""

    path: str
    key: bytes
    racy: bool


# Paths are plain strings and `os.stat` is called on them: pathlib would make the look at a column
# of paths, which happens in every fit of a search, four times slower.
def stat_file(path: str, most_bytes: int | None) -> os.stat_result:
    """Return the status of a regular file of an allowed size.

    Nothing else is ever opened: a named pipe would wait for a writer, and opening a device can
    have effects.

    Raises
    ------
    BadCellError
        If there is no such file.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError as error:
        hint = " ('~' is not expanded)" if path.startswith("~") else ""
        raise BadCellError(
            f"no such file{hint}; relative paths start at the working directory"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: the string cannot be a path
        raise _unreadable(error) from error
    _check_status(status, most_bytes)
    return status


def read_file(path: str, most_bytes: int | None) -> bytes:
    """Return the content of a regular file."""
    with open_file(path, most_bytes) as file:
        return file.read()


def file_cell(path: str, most_bytes: int | None) -> FileCell:
    """Return a path with the status of its file."""
    status = stat_file(path, most_bytes)
    times = status.st_mtime_ns, status.st_ctime_ns
    key = status_digest(path, status.st_size, *times, status.st_dev, status.st_ino)
    # A time in the future, of an archive or a wrong clock, counts as recent.
    return FileCell(path, key, racy=time.time_ns() - max(times) < _RACY_NS)


def digest_files(
    files: Iterable[FileCell], cache: FeatureCache, most_bytes: int | None
) -> dict[bytes, bytes | BadCellError]:
    """Return the content digest of each file by its key, or the error, not raised.

    Parameters
    ----------
    files : iterable of FileCell
        The same file may occur more than once.
    cache : FeatureCache
        Read once and written once per call.
    most_bytes : int or None
        Larger files are errors.
    """
    by_key = {file.key: file for file in files}
    if not by_key:
        return {}
    digests: dict[bytes, bytes | BadCellError] = {}
    fresh: dict[bytes, bytes] = {}
    for file, known in zip(by_key.values(), cache.read_file_digests([*by_key]), strict=True):
        digest = digests[file.key] = known or _digest_file(file.path, most_bytes)
        if not known and isinstance(digest, bytes) and _is_unchanged(file, most_bytes):
            fresh[file.key] = digest
    if fresh:
        cache.write_file_digests([*fresh], [*fresh.values()])
    return digests


@contextmanager
def open_file(path: str, most_bytes: int | None) -> Iterator[BufferedReader]:
    """Open a regular file; errors of the system within the block become `BadCellError`."""
    stat_file(path, most_bytes)
    try:
        with os.fdopen(os.open(path, _OPENING), "rb") as file:
            # Again: the path may lead to something else by now.
            _check_status(os.fstat(file.fileno()), most_bytes)
            yield file
    except OSError as error:
        raise _unreadable(error) from error


def _check_status(status: os.stat_result, most_bytes: int | None) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _FILE_KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise BadCellError(f"is {kind}, not a file; pass the path of one file per row")
    if most_bytes is not None and status.st_size > most_bytes:
        raise BadCellError(
            f"a file of {status.st_size} bytes is above the limit of {most_bytes} bytes; see "
            "whether it is the right one, or raise the estimator's limit, such as max_pixels"
        )


def _unreadable(error: OSError | ValueError) -> BadCellError:
    reason = getattr(error, "strerror", None) or error
    return BadCellError(f"the file cannot be read ({reason}); check the path and its permissions")


def _is_unchanged(file: FileCell, most_bytes: int | None) -> bool:
    """Return whether the path led to the same file before and after it was read.

    It can be a link that was turned to another file meanwhile; turned back later, the digest of
    that other file would be taken for this one's.
    """
    try:
        return not file.racy and file_cell(file.path, most_bytes).key == file.key
    except BadCellError:
        return False


def _digest_file(path: str, most_bytes: int | None) -> bytes | BadCellError:
    try:
        with open_file(path, most_bytes) as file:
            return file_digest(file)
    except BadCellError as error:
        return name_cell(path, error)
