"""Named members in one file: a zip without compression, so that nothing in it can expand."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from sktransfer.exceptions import PersistenceError
from sktransfer.persistence._replacing import refuse_others, replacing

Members = dict[str, bytes]

# Constant, so that equal content gives equal files.
_DATE = (1980, 1, 1, 0, 0, 0)


def packed(members: Mapping[str, bytes]) -> bytes:
    """Return the members as the bytes of a file."""
    buffer = io.BytesIO()
    _write(members, buffer)
    return buffer.getvalue()


def write_file(members: Mapping[str, bytes], path: Path) -> None:
    """Write a file atomically: an existing one stays until the new one is complete.

    Raises
    ------
    OSError
        If it cannot be written.
    PersistenceError
        If a directory, a pipe or a device is there.
    """
    with replacing(path) as part, part.open("xb") as file:
        _write(members, file)


def read_file(path: Path, names: re.Pattern[str]) -> Members:
    """Read a file that `write_file` has written, whose members must match `names`.

    Raises
    ------
    FileNotFoundError
        If there is none.
    PersistenceError
        If it is damaged, or something else.
    """
    refuse_others(path)  # reading a pipe or a device may never end
    with path.open("rb") as file:
        return _read(file, names, repr(str(path)))


def unpacked(content: bytes, names: re.Pattern[str], what: str) -> Members:
    """Read what `packed` has returned; `what` is its name in errors."""
    return _read(io.BytesIO(content), names, what)


def _write(members: Mapping[str, bytes], file: BinaryIO) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)


def _read(file: BinaryIO, names: re.Pattern[str], what: str) -> Members:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check(entries, names, what, size=file.seek(0, io.SEEK_END))
            return {entry.filename: archive.read(entry) for entry in entries}
    except PersistenceError:
        raise
    except Exception as error:  # zipfile lets out many kinds besides its own
        raise PersistenceError(
            f"{what} is damaged, or was not written by sktransfer.save "
            f"({type(error).__name__}: {error}). Save it again, or take a copy."
        ) from error


def _check(entries: list[zipfile.ZipInfo], names: re.Pattern[str], what: str, *, size: int) -> None:
    """Refuse entries that `_write` does not write."""
    odd = [e.filename for e in entries if not names.fullmatch(e.filename) or not _is_plain(e)]
    if len({entry.filename for entry in entries}) < len(entries):
        odd.append("names that occur twice")
    if sum(entry.file_size for entry in entries) > size:
        odd.append("members larger than the whole file")
    if odd:
        raise PersistenceError(
            f"{what} is not as sktransfer.save writes it, and is refused: {', '.join(odd[:5])}."
        )


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    """Return whether a member is a regular file without compression or encryption."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    stored = entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
    return stored and not entry.flag_bits & 0x1 and kind in (0, stat.S_IFREG)
