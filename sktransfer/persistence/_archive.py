"""Bytes by name in one file: a zip without compression, so that no byte stands for many."""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import stat
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from sktransfer.exceptions import PersistenceError

Members = dict[str, bytes]

# The same for all, so that equal content gives equal files.
_DATE = (1980, 1, 1, 0, 0, 0)

_MOST_MEMBERS = 1_000_000


def packed(members: Mapping[str, bytes]) -> bytes:
    """Return the members as the bytes of a file."""
    buffer = io.BytesIO()
    _write(members, buffer)
    return buffer.getvalue()


def write_file(members: Mapping[str, bytes], path: Path) -> None:
    """Write a file, whole or not at all: what `path` was before stays until it is done.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    # Not by tempfile, which would give the owner alone the right to read it.
    number = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(number, "wb") as file:
            _write(members, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _keep_name(path.parent)


def read_file(path: Path, names: re.Pattern[str]) -> Members:
    """Read a file that `write_file` has written.

    Parameters
    ----------
    path : Path
        Of the file.
    names : Pattern
        What the name of a member must match.

    Raises
    ------
    FileNotFoundError
        If there is none.
    PersistenceError
        If it is something else, or damaged.
    """
    if path.exists() and not path.is_file():  # a pipe or a device would never end
        raise PersistenceError(f"{str(path)!r} is no file, so nothing can be loaded from it.")
    with path.open("rb") as file:
        return _read(file, names, repr(str(path)))


def unpacked(content: bytes, names: re.Pattern[str], what: str) -> Members:
    """Read what `packed` has returned; `what` names it in errors."""
    return _read(io.BytesIO(content), names, what)


def _write(members: Mapping[str, bytes], file: BinaryIO) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)


def _keep_name(folder: Path) -> None:
    """Bring the name of a new file to the disk, where folders can be opened for that."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _read(file: BinaryIO, names: re.Pattern[str], what: str) -> Members:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check(entries, names, what, size=file.seek(0, io.SEEK_END))
            return {entry.filename: archive.read(entry) for entry in entries}
    except PersistenceError:
        raise
    # Beside its own error the module lets out whatever a wrong number leads to.
    except Exception as error:
        raise PersistenceError(
            f"{what} is damaged, or nothing that sktransfer.save has written "
            f"({type(error).__name__}: {error}). Save it again, or take a copy."
        ) from error


def _check(entries: list[zipfile.ZipInfo], names: re.Pattern[str], what: str, *, size: int) -> None:
    found = [entry.filename for entry in entries]
    if len(found) > _MOST_MEMBERS:
        raise PersistenceError(f"{what} has {len(found):,} members; that is not ours.")
    doubled = [name for name, count in Counter(found).items() if count > 1]
    strange = [name for name in found if not names.fullmatch(name)]
    odd = [entry.filename for entry in entries if not _is_plain(entry)]
    faults = {
        "there twice": doubled,
        "not of this format": strange,
        "compressed, encrypted or no plain file": odd,
    }
    told = [f"{fault}: {', '.join(map(repr, n[:5]))}" for fault, n in faults.items() if n]
    if sum(entry.file_size for entry in entries) > size:
        told.append("larger than the whole file, taken together")
    if told:
        raise PersistenceError(
            f"{what} is not as sktransfer.save writes it, and is refused. Members that are "
            f"{'; '.join(told)}."
        )


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    """Tell whether a member is a plain file, kept as it is."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    stored = entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
    return stored and not entry.flag_bits & 0x1 and kind in (0, stat.S_IFREG)
