"""Where the pixels of an image cell come from: an array, a Pillow image, bytes or a file."""

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from sktransfer.columns import is_missing
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._cell_sources import DATA_URI, as_array, as_path, base64_of
from sktransfer.modalities.image._nifti import is_nifti

Source: TypeAlias = "np.ndarray | Image.Image | bytes | bytearray | str"

# How PNG, JPEG, GIF and WebP files begin in base64.
BASE64 = base64_of("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")

# With its article, what a cell may be, and the arrays that hold one.
_KINDS = {
    "image": ("an image", "uint8, uint16, bool, or floats in [0, 1]"),
    "mask": ("a mask", "bool or whole numbers"),
}

_FIRST_BYTES = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x93NUMPY": "a NumPy file (load it with numpy.load and pass the arrays)",
    **dict.fromkeys(
        (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0"),
        "a DICOM file without its first 132 bytes (write it with "
        "pydicom.dcmread(path, force=True).save_as(other, enforce_file_format=True))",
    ),
    b"version https://git-lfs": "a Git LFS pointer (run `git lfs pull`)",
}


def image_source(cell: object, noun: str = "image") -> Source:
    """Return what holds the pixels of a cell, without reading any of them.

    Parameters
    ----------
    cell : object
        Any value.
    noun : {"image", "mask"}
        What it should be, for messages.

    Raises
    ------
    BadCellError
        If the cell is missing or cannot hold an image.
    """
    kind, _ = _KINDS[noun]
    if isinstance(cell, np.ma.MaskedArray):
        raise BadCellError(
            "the mask of a masked array would be lost; pass cell.filled(value) with the value that "
            "masked pixels are to have"
        )
    if isinstance(cell, np.ndarray):
        return _as_array(cell, noun)
    if isinstance(cell, (Image.Image, bytes, bytearray)):
        return cell
    if isinstance(cell, memoryview):
        return cell.tobytes()
    if is_missing(cell):
        raise BadCellError(f"the {noun} is missing; drop the row")
    if isinstance(cell, (str, os.PathLike)):
        return as_path(cell, noun, BASE64)
    if isinstance(cell, dict):
        return _of_dict(cell, noun)
    if hasattr(cell, "__array__") and not isinstance(cell, np.generic):
        return _as_array(cell, noun)
    if hasattr(cell, "read"):
        raise BadCellError(f"an open file is not {kind}; pass its path, or what its read() gives")
    raise BadCellError(
        f"a value of type {type(cell).__name__} is not {kind}; "
        "pass a path, encoded bytes, a PIL image or a NumPy array"
    )


def format_of(data: bytes | bytearray, formats: Sequence[str]) -> str | None:
    """Return which of Pillow's formats the content of a file begins like."""
    start = bytes(data[:16]).ljust(16, b"\0")  # Pillow takes the length for granted
    accepts = {name: Image.OPEN[name][1] for name in formats}
    return next((name for name, test in accepts.items() if test and test(start) is True), None)


def guess_content(data: bytes | bytearray, formats: Sequence[str]) -> str:
    """Return what bytes that cannot be decoded seem to be, for a message.

    Parameters
    ----------
    data : bytes
        Content of a file.
    formats : sequence of str
        Pillow's names of the formats that can be decoded.
    """
    if not data:
        return "empty"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "a HEIC image (convert it to JPEG or PNG)"
    if name := format_of(data, formats):
        return f"a damaged {name} image"
    if is_nifti(data):
        return "a NIfTI volume (pass the column 'image' of sktransfer.read_volume(path))"
    for first_bytes, name in _FIRST_BYTES.items():
        if data.startswith(first_bytes):
            return name
    text = bytes(data[:300]).decode("latin-1")
    if BASE64.match(text):
        return "base64 text (pass base64.b64decode(cell))"
    if DATA_URI.match(text):
        return "a data URI (pass base64.b64decode(cell.partition(b',')[2]))"
    beginning = bytes(data[:1000]).lower()
    if b"<svg" in beginning:
        return "an SVG drawing (render it to PNG)"
    if b"<html" in beginning or b"<!doctype html" in beginning:
        return "a web page, perhaps a failed download"
    return "of an unknown format"


def _of_dict(cell: dict[Any, Any], noun: str) -> Source:
    """Return the source in a dict of encoded bytes or a path, as tables of model hubs hold it."""
    kind, _ = _KINDS[noun]
    if not cell or not cell.keys() <= {"bytes", "path"}:
        keys = ", ".join(repr(key) for key in cell) or "(none)"
        raise BadCellError(
            f"a dict with the keys {keys} is not {kind}; pass {{'bytes': ..., 'path': ...}}, of "
            "which one may be None"
        )
    # The path is often only the name that the file had.
    content = cell.get("bytes")
    source = cell.get("path") if content is None else content
    if isinstance(source, dict):
        raise BadCellError(f"a dict within a dict is not {kind}; pass its bytes or its path")
    return image_source(source, noun)


def _as_array(cell: Any, noun: str) -> np.ndarray:
    array, (kind, dtypes) = as_array(cell), _KINDS[noun]
    if array.dtype.kind not in "buif":
        raise BadCellError(f"an array of dtype {array.dtype} is not {kind}; pass {dtypes}")
    return array
