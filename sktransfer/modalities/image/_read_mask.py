"""Masks: the class of each pixel, from every kind of cell that holds one."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from sktransfer._warnings import warnings_ignored
from sktransfer.columns import is_missing, name_cell
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._cell_sources import as_array
from sktransfer.modalities._files import read_file
from sktransfer.modalities.image._content_limits import (
    MAX_PIXELS,
    check_content,
    check_pixels,
    most_bytes,
)
from sktransfer.modalities.image._decode import decodable_formats
from sktransfer.modalities.image._pixel_sources import guess_content, image_source

# Formats that keep each value as it is, unless they compress like others.
_FORMATS = ("PNG", "TIFF", "BMP", "GIF", "PPM")
_LOSSY = frozenset({"jpeg", "tiff_jpeg", "webp"})
# Pillow's modes whose values are numbers: of a palette the index.
_MODES = frozenset({"1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N"})
# Floats hold all whole numbers up to this one.
_LARGEST = 2**53


def read_mask(cell: object, max_pixels: int | None = MAX_PIXELS) -> np.ndarray:
    """Return the class of each pixel.

    Parameters
    ----------
    cell : array of bool or whole numbers, nested list, path, bytes or PIL image
        Of the shape (H, W), or with one more axis of length 1. Of an image with a palette the
        indices are the classes, not the colours. Turned as its EXIF data says, like images.
    max_pixels : int or None
        Most pixels of a mask that is decoded.

    Returns
    -------
    ndarray of shape (H, W), bool or integer

    Raises
    ------
    BadCellError
        If it is no mask.
    """
    if is_missing(cell):
        raise BadCellError("the mask is missing; leave the row out")
    try:
        return _classes(_read(cell, max_pixels))
    except BadCellError as error:
        raise name_cell(cell, error) from error.__cause__


def _read(cell: Any, max_pixels: int | None) -> np.ndarray:
    if isinstance(cell, np.ndarray) and cell.dtype == object:  # rows, as Parquet files give them
        cell = cell.tolist()
    source: Any = image_source(as_array(cell) if isinstance(cell, list | tuple) else cell, "mask")
    if isinstance(source, str):
        source = read_file(source, most_bytes(max_pixels))
    if isinstance(source, bytes | bytearray):
        source = _opened(source, max_pixels)
    return _values(source) if isinstance(source, Image.Image) else source


def _opened(data: bytes | bytearray, max_pixels: int | None) -> Image.Image:
    try:
        check_content(data, max_pixels)
        with (
            warnings_ignored(module=r"PIL\."),
            Image.open(io.BytesIO(data), formats=decodable_formats()) as image,
        ):
            _refuse_format(image)
            check_pixels(image.size, max_pixels)
            image.load()
            return image
    except BadCellError:
        raise
    except Exception as error:  # damaged data makes Pillow raise nearly anything
        raise BadCellError(
            f"cannot be decoded as a mask; it seems to be {guess_content(data, _FORMATS)}"
        ) from error


def _refuse_format(image: Image.Image) -> None:
    """Refuse a file whose pixels are not the numbers that were written."""
    if image.format not in _FORMATS or image.info.get("compression") in _LOSSY:
        raise BadCellError(
            f"a mask in a {image.format} file may have lost its values to compression; save masks "
            f"as PNG (accepted are {', '.join(_FORMATS)}, without lossy compression)"
        )
    tiles = getattr(image, "tile", [])
    if tiles and _is_scaled(*tiles[0]):
        raise BadCellError(
            "the grey levels of this file are not stored from 0 to 255, so its numbers would be "
            "scaled; save masks with 8 or 16 bits per pixel, or with a palette"
        )


def _is_scaled(decoder: str, extents: Any, offset: int, arguments: Any) -> bool:
    """Return whether this way to decode pixels stretches or inverts levels of grey."""
    mode, *others = arguments if isinstance(arguments, tuple) else (arguments,)
    has_other_maximum = decoder.startswith("ppm") and not {255, 65535}.issuperset(others)
    return has_other_maximum or str(mode).startswith("L;")


def _values(image: Image.Image) -> np.ndarray:
    if image.mode not in _MODES:
        raise BadCellError(
            f"an image of mode {image.mode} has colours or levels, not one class per pixel; pass "
            "an array of class numbers, or an image of mode L or P"
        )
    with suppress(Exception):  # damaged EXIF data; the pixels are still good
        image = ImageOps.exif_transpose(image)
    return np.asarray(image)


def _classes(values: np.ndarray) -> np.ndarray:
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[:, :, 0] if values.shape[2] == 1 else values[0]
    if values.ndim != 2 or 0 in values.shape:
        raise BadCellError(
            f"a mask has the shape (H, W), one class per pixel, not {values.shape}"
            + ("; of one channel per class take numpy.argmax" if values.ndim == 3 else "")
        )
    if values.dtype.kind == "f":
        values = values.astype(np.float64)
    elif values.dtype.itemsize < 8:
        return values
    whole = (values == np.floor(values)) & (values >= -_LARGEST) & (values <= _LARGEST)
    if not whole.all():
        raise BadCellError(
            f"{values[~whole][0]} is no class number; a mask has whole numbers up to 2**53, and "
            "`ignore_label` where the class is unknown"
        )
    return values.astype(np.int64)
