"""Arrays as images: which shapes, dtypes and values they may have."""

import numpy as np
from PIL import Image

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image._planes import (
    Planes,
    float_planes,
    opaque_rgb,
    scaled_16_bits,
    unit_interval,
)

CHANNELS = (1, 3, 4)
"""Lengths that the last axis of an image may have: grey, RGB, RGBA."""


def array_planes(array: np.ndarray) -> Planes:
    """Return one image array as planes; values are never guessed to have another scale."""
    _check_shape(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    pixels = _pixels(array)
    if pixels.dtype == np.uint8:
        return [opaque_rgb(Image.fromarray(pixels))]
    return float_planes(pixels)


def _check_shape(array: np.ndarray) -> None:
    shape = array.shape
    if array.size == 0:
        raise BadCellError(f"an array of shape {shape} has no pixels")
    if array.ndim == 2 or (array.ndim == 3 and shape[2] in CHANNELS):
        return
    if array.ndim == 3 and shape[0] in CHANNELS:
        raise BadCellError(
            f"an array of shape {shape} has its channels first; "
            "move them to the end, e.g. numpy.moveaxis(image, 0, -1)"
        )
    raise BadCellError(
        f"an array of shape {shape} is not an image; pass (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
    )


def _pixels(array: np.ndarray) -> np.ndarray:
    """Return uint8, or float32 in [0, 1]."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f":
        return unit_interval(array)
    if array.dtype.kind == "b":
        return array * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return scaled_16_bits(array)
    low, high = array.min(), array.max()
    if low < 0 or high > 255:
        advice = "scale them to [0, 1] and pass floats"
        if 0 <= low <= high <= 65535:  # a cast would change other values without an error
            advice = f"cast 16-bit images with X.astype('uint16'), or {advice}"
        raise BadCellError(
            f"{array.dtype} pixels must lie in 0..255, found {low} to {high}; {advice}"
        )
    return array.astype(np.uint8)
