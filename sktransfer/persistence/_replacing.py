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
    path = Path(os.path.realpath(path))
    # A device would be replaced by the file.
    if path.exists() and not (path.is_dir() if folder else path.is_file()):
        kind = "folder" if folder else "file"
        raise PersistenceError(f"{str(path)!r} is no {kind}, so nothing can be saved to it.")
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
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
