"""Files and folders that are complete or not there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sktransfer.exceptions import PersistenceError


@contextmanager
def replacing(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield the path of a temporary sibling to write; it replaces `path` when the block ends.

    After an error `path` is as it was, and the sibling is removed.

    Parameters
    ----------
    path : Path
        A link stays one.
    folder : bool
        Whether a folder is written; the sibling is then an empty one. Without, the block makes
        the file.

    Raises
    ------
    PersistenceError
        If something of another kind is there, or a folder with files that the new one does not
        have.
    """
    refuse_others(path, folder=folder)  # a device would be replaced by the file
    try:
        with _sibling(Path(os.path.realpath(path)), folder) as part:
            yield part
    except OSError as error:  # which may name a file beside it
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextmanager
def _sibling(path: Path, folder: bool) -> Iterator[Path]:
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    # Without this folder an OSError, whatever the error of that which writes the file.
    next(path.parent.iterdir(), None)
    try:
        if folder:
            part.mkdir()
        yield part
        for file in _files(part):
            with file.open("r+b") as stream:
                os.fsync(stream.fileno())
        old = part.with_suffix(".old")
        if folder and path.exists():
            _check_nothing_is_lost(path, part)
            path.rename(old)
        part.replace(path)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        if folder:
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
        raise


def refuse_others(path: Path, *, folder: bool = False) -> None:
    """Raise if something is there that is neither a file nor, if one is wanted, a folder."""
    if path.exists() and not (path.is_dir() if folder else path.is_file()):
        found, wanted = ("a file", "a folder") if folder else ("a folder", "a file")
        raise PersistenceError(
            f"{str(path)!r} is {found}, pipe or device; pass the path of {wanted}."
        )


def _check_nothing_is_lost(path: Path, part: Path) -> None:
    others = {file.relative_to(path) for file in _files(path)}
    others -= {file.relative_to(part) for file in _files(part)}
    if others:
        raise PersistenceError(
            f"The folder {str(path)!r} has other files than those to be written, such as "
            f"{min(map(str, others))!r}. Name a folder that does not exist."
        )


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
