"""Decoded pixels: one 8-bit RGB image, or floating point planes.

Pillow has no colour mode of more than 8 bits per channel. Sources that have more are kept as one
(grey) or three (RGB) Pillow images of mode "F" with values in [0, 1], so that both kinds share
one geometry.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image._window import Window

Planes: TypeAlias = list[Image.Image]

_ROUNDING = 1e-6

# Never a cast: to an unsigned type it would change the negative values of other images.
_RESCALING = (
    "scale all images alike to floats in [0, 1]: ((image - LOW) / (HIGH - LOW)).clip(0, 1), where "
    "LOW is the value to show as black and HIGH that to show as white"
)

_COLOURED = (
    "a window applies to grey images, and this one has colours or transparency; leave window=None "
    "for a column with such images"
)
_GREY = ("1", "L", "I", "I;16", "I;16B", "I;16L", "F")

CHANNELS = (1, 3, 4)
"""Lengths that the last axis of an image may have: grey, RGB, RGBA."""


def array_planes(array: np.ndarray, window: Window | None = None) -> Planes:
    """Return one image array as planes; values are never guessed to have another scale."""
    if array.size == 0:
        raise BadCellError(f"an array of shape {array.shape} has no pixels")
    accepted = "an image; pass (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
    if problem := axes_problem(array.shape, 0, accepted):
        raise BadCellError(problem)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if window:
        if array.ndim == 3:
            raise BadCellError(_COLOURED)
        array = window.apply(array)
    pixels = _pixels(array)
    if pixels.dtype == np.uint8:
        return [_opaque_rgb(Image.fromarray(pixels))]
    return _float_planes(pixels)


def axes_problem(shape: tuple[int, ...], first: int, accepted: str) -> str:
    """Return what is wrong with the axes of an array; empty if it holds images.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    first : int
        First axis of an image.
    accepted : str
        What the array should be, and the shapes to pass.
    """
    image = shape[first:]
    if len(image) == 2 or (len(image) == 3 and image[2] in CHANNELS):
        return ""
    if len(image) == 3 and image[0] in CHANNELS:
        move = f"numpy.moveaxis({'X' if first else 'image'}, {first}, -1)"
        return (
            f"an array of shape {shape} has its channels first; move them to the end, e.g. {move}"
        )
    return f"an array of shape {shape} is not {accepted}"


def image_planes(image: Image.Image, window: Window | None = None) -> Planes:
    """Return a loaded Pillow image as planes."""
    if window:
        if image.mode not in _GREY or image.has_transparency_data:
            raise BadCellError(_COLOURED)
        return array_planes(np.asarray(image), window)
    if image.mode not in ("F", "I") and not image.mode.startswith("I;16"):
        return [_opaque_rgb(image)]
    values = np.asarray(image)
    if image.mode != "F":
        if (transparent := image.info.get("transparency")) is not None:
            values = np.where(values == transparent, 65535, values)
        values = _scaled_16_bits(values)
    return array_planes(values)


def to_array(planes: Planes) -> np.ndarray:
    """Return planes as a new (H, W, 3) array, uint8 or float32 in [0, 1]."""
    if planes[0].mode == "RGB":
        return np.array(planes[0])
    channels = [np.asarray(plane) for plane in planes]
    # Bicubic and Lanczos filters overshoot at edges.
    return np.stack(channels * (3 // len(channels)), axis=-1).clip(0, 1)


def stack_pixels(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return images as one array (n, H, W, 3); if one is float, the others are scaled to [0, 1]."""
    if any(image.dtype != np.uint8 for image in images):
        return np.stack([i / np.float32(255) if i.dtype == np.uint8 else i for i in images])
    return np.stack(images)


def _pixels(array: np.ndarray) -> np.ndarray:
    """Return uint8, or float32 in [0, 1]."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f":
        return _unit_interval(array)
    if array.dtype.kind == "b":
        return array * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return _scaled_16_bits(array)
    low, high = array.min(), array.max()
    if low < 0 or high > 255:
        raise BadCellError(
            f"{array.dtype} pixels must lie in 0..255, found {low} to {high}; {_RESCALING}"
        )
    return array.astype(np.uint8)


def _opaque_rgb(image: Image.Image) -> Image.Image:
    """Return an 8-bit image as RGB; transparent pixels are shown on white.

    Most transparent drawings are made for white. Dropping the alpha channel would show the
    arbitrary colour stored under it, often black.
    """
    if image.mode == "La":  # Pillow has no other way to RGBA
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _float_planes(pixels: np.ndarray) -> Planes:
    """Return (H, W), (H, W, 3) or (H, W, 4) floats in [0, 1] as planes, alpha on white."""
    if pixels.ndim == 2:
        return [Image.fromarray(pixels)]
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:]
        pixels = pixels[..., :3] * alpha + (1 - alpha)
    return [Image.fromarray(np.ascontiguousarray(pixels[..., i])) for i in range(3)]


def _unit_interval(values: np.ndarray) -> np.ndarray:
    """Return floats in [0, 1] as float32; other scales are refused."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise BadCellError("the image holds NaN or infinite values; replace them")
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        is_bytes = low >= 0 and 1 < high <= 255
        advice = "pass X / 255 if 255 is white" if is_bytes else _RESCALING
        raise BadCellError(
            f"floating point pixels must lie in [0, 1], found {low:g} to {high:g}; {advice}"
        )
    return values.astype(np.float32).clip(0, 1)


def _scaled_16_bits(values: np.ndarray) -> np.ndarray:
    """Return 16-bit integers as float32 in [0, 1]; 8 bits would saturate them or lose detail."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise BadCellError(
            f"pixels of 16 bits must lie in 0..65535, found {low} to {high}; {_RESCALING}"
        )
    return values.astype(np.float32) / np.float32(65535)
