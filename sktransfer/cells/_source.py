"""Where the pixels of an image cell come from: an array, a Pillow image, bytes or a file."""

import os
import re
import stat
from io import BufferedReader
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from sktransfer.cells._cell import is_missing
from sktransfer.cells._limits import check_bytes
from sktransfer.exceptions import BadCellError

# Paths are plain strings here, and `os.stat` is called on them: a column of paths is looked at
# in every fit of a search, and pathlib would make that four times slower.
Source: TypeAlias = "np.ndarray | Image.Image | bytes | bytearray | str"

_URL = re.compile(r"(?i)data:|[a-z][a-z0-9+.-]+://")

# A named pipe that has come to lie where a file was must not make the opening wait. Windows
# has neither the flag nor such pipes, and would change line ends.
_OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_FILE_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_FIRST_BYTES = {
    b"\x89PNG": "a damaged PNG image",
    b"\xff\xd8\xff": "a damaged JPEG image",
    b"GIF8": "a damaged GIF image",
    b"BM": "a damaged BMP image",
    b"II*\x00": "a damaged TIFF image",
    b"MM\x00*": "a damaged TIFF image",
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x93NUMPY": "a NumPy file (load it with numpy.load and pass the arrays)",
    b"version https://git-lfs": "a Git LFS pointer (run `git lfs pull`)",
}


def image_source(cell: object) -> Source:
    """Return what holds the pixels of a cell, without looking at any of them."""
    if isinstance(cell, np.ma.MaskedArray):
        raise BadCellError("the mask of a masked array would be lost; pass cell.filled(0)")
    if isinstance(cell, (np.ndarray, Image.Image, bytes, bytearray)):
        return cell
    if isinstance(cell, memoryview):
        return cell.tobytes()
    if is_missing(cell):
        raise BadCellError("the image is missing; drop the row")
    if isinstance(cell, (str, os.PathLike)):
        return _as_path(cell)
    if hasattr(cell, "__array__") and not isinstance(cell, np.generic):
        return _as_array(cell)
    if hasattr(cell, "read"):
        raise BadCellError("an open file is not an image; pass its path, or what its read() gives")
    raise BadCellError(
        f"a value of type {type(cell).__name__} is not an image; "
        "pass a path, encoded bytes, a PIL image or a NumPy array"
    )


def _as_path(cell: str | os.PathLike[Any]) -> str:
    try:
        text = os.fsdecode(cell)
    except Exception as error:  # a PathLike can be of anybody's making
        raise BadCellError(f"cannot be read as a path ({error}); pass a str") from error
    if _URL.match(text):
        raise BadCellError(
            "URLs are never fetched; download the image and pass its path or its bytes"
        )
    return text


def _as_array(cell: Any) -> np.ndarray:
    try:
        return np.asarray(cell)
    except Exception as error:  # tensors on a device, with a gradient, of a foreign dtype
        raise BadCellError(
            f"cannot be read as a NumPy array ({error}); "
            "convert it first, e.g. tensor.detach().cpu().float().numpy()"
        ) from error


def stat_file(path: str, max_pixels: int | None) -> os.stat_result:
    """Return the status of a regular file that an image of the allowed size may fill.

    Nothing else is ever opened: a named pipe would wait for a writer, and to open a device can
    change what it does.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError as error:
        hint = " ('~' is not expanded)" if path.startswith("~") else ""
        raise BadCellError(
            f"no such file{hint}; relative paths start at the working directory"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: the text cannot be a path at all
        raise unreadable(error) from error
    _check_status(status, max_pixels)
    return status


def open_file(path: str, max_pixels: int | None) -> BufferedReader:
    """Open a regular file, also if the path leads to something else by now."""
    stat_file(path, max_pixels)
    try:
        file = os.fdopen(os.open(path, _OPENING), "rb")
    except OSError as error:
        raise unreadable(error) from error
    try:
        _check_status(os.fstat(file.fileno()), max_pixels)
    except BadCellError:
        file.close()
        raise
    return file


def read_file(path: str, max_pixels: int | None) -> bytes:
    """Return the content of a regular file."""
    with open_file(path, max_pixels) as file:
        try:
            return file.read()
        except OSError as error:
            raise unreadable(error) from error


def _check_status(status: os.stat_result, max_pixels: int | None) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _FILE_KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise BadCellError(f"is {kind}, not a file; pass the path of one image")
    check_bytes(status.st_size, max_pixels)


def unreadable(error: OSError | ValueError) -> BadCellError:
    """Return the error for a file that is there, or may be, but cannot be read."""
    reason = getattr(error, "strerror", None) or error
    return BadCellError(f"the file cannot be read ({reason}); check the path and its permissions")


def guess_content(data: bytes | bytearray) -> str:
    """Say what bytes that are no readable image seem to be."""
    if not data:
        return "empty"
    for first_bytes, name in _FIRST_BYTES.items():
        if data.startswith(first_bytes):
            return name
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "a HEIC image (convert it to JPEG or PNG)"
    beginning = bytes(data[:1000]).lower()
    if b"<svg" in beginning:
        return "an SVG drawing (render it to PNG)"
    if b"<html" in beginning or b"<!doctype html" in beginning:
        return "a web page, perhaps a failed download"
    return "of an unknown format"
