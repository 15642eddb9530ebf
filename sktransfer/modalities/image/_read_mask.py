"""Masks: the class of each pixel, from every kind of cell that holds one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from sktransfer.columns import is_missing, name_cell
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._files import read_file
from sktransfer.modalities.image._content_limits import MAX_PIXELS, check_pixels, most_bytes
from sktransfer.modalities.image._pixel_sources import image_source

# Formats that keep each value as it is.
_FORMATS = ("PNG", "TIFF", "BMP", "GIF", "PPM")
# Pillow's modes whose values are numbers: of a palette the index.
_MODES = frozenset({"1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N"})


def read_mask(cell: object) -> np.ndarray:
    """Return the class of each pixel.

    Parameters
    ----------
    cell : array of bool or whole numbers, path, bytes or PIL image
        Of the shape (H, W), or with one more axis of length 1. Of an image with a palette the
        indices are the classes, not the colours.

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
        return _classes(_read(cell))
    except BadCellError as error:
        raise name_cell(cell, error) from error.__cause__


def _read(cell: object) -> np.ndarray:
    source: Any = image_source(cell)
    if isinstance(source, str):
        source = read_file(source, most_bytes(MAX_PIXELS))
    if isinstance(source, bytes | bytearray):
        source = _opened(source)
    return _values(source) if isinstance(source, Image.Image) else source


def _opened(data: bytes | bytearray) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format not in _FORMATS:
                raise BadCellError(
                    f"a mask in a {image.format} file may have lost its values to compression; "
                    f"save masks as PNG (accepted are {', '.join(_FORMATS)})"
                )
            check_pixels(image.size, MAX_PIXELS)
            image.load()
            return image
    except BadCellError:
        raise
    except Exception as error:  # damaged data makes Pillow raise nearly anything
        raise BadCellError(f"cannot be decoded as a mask ({error})") from error


def _values(image: Image.Image) -> np.ndarray:
    if image.mode not in _MODES:
        raise BadCellError(
            f"an image of mode {image.mode} has colours or levels, not one class per pixel; pass "
            "an array of class numbers, or an image of mode L or P"
        )
    return np.asarray(image)


def _classes(values: np.ndarray) -> np.ndarray:
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[0] if values.shape[0] == 1 else values[:, :, 0]
    if values.ndim != 2 or 0 in values.shape:
        raise BadCellError(
            f"a mask has the shape (H, W), one class per pixel, not {values.shape}"
            + ("; of one channel per class take numpy.argmax" if values.ndim == 3 else "")
        )
    if values.dtype.kind == "f":
        bad = values[(np.floor(values) != values) | ~np.isfinite(values)]
        if len(bad):
            raise BadCellError(
                f"{bad[0]} is no class number; a mask has whole numbers, and `ignore_label` where "
                "the class is unknown"
            )
        return values.astype(np.int64)
    return values
