"""Small pictures of image cells."""

from __future__ import annotations

import numpy as np

from sktransfer.modalities.image._decode import decode_image
from sktransfer.modalities.image._geometry import Geometry
from sktransfer.modalities.image._image_shapes import shape_of_image
from sktransfer.modalities.image._window import Window


def thumbnail(
    cell: object, pixels: int, *, max_pixels: int | None, window: Window | None
) -> np.ndarray:
    """Return a whole image at a reduced size, or at its own if that is not larger.

    Parameters
    ----------
    cell : object
        See `decode_image`.
    pixels : int
        Longest side of the result.
    max_pixels, window
        See `decode_image`.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8

    Raises
    ------
    BadCellError
        If the image cannot be decoded.
    """
    shape = shape_of_image(cell, max_pixels, window)
    geometry = None
    if shape is not None and max(shape) > pixels:
        height, width = (max(1, round(side * pixels / max(shape))) for side in shape)
        geometry = Geometry((height, width), (height, width), "bicubic")
    found = decode_image(cell, geometry, max_pixels=max_pixels, window=window)
    if found.dtype == np.uint8:
        return found
    return np.rint(255 * found.clip(0, 1)).astype(np.uint8)
