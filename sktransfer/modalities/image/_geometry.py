"""Resizing and cropping images to the input size of a network."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image

from sktransfer.modalities.image._resample import resample

Size: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[float, float, float, float]

# A strip that would be resized to more than `_PIXELS` pixels and is more than `_CROPS` crops long
# is resized only within the crop. That differs by rounding, so other images are resized whole.
_PIXELS, _CROPS = 16_000_000, 32

_FOR_TORCH = {("RGB", "bilinear"), ("RGB", "bicubic")}


@dataclass(frozen=True)
class Geometry:
    """A resize and a centre crop, pixel for pixel those of torchvision on Pillow images.

    Parameters
    ----------
    resize : int or tuple of (int, int)
        Length of the short side, the aspect ratio being kept, or (height, width).
    crop : tuple of (int, int) or None
        Height and width of the centre crop after it, None for no crop. Where the
        image is smaller than the crop, it is padded with black.
    interpolation : {"nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"}
        Pillow's name of the filter. Apart from "nearest", all of them antialias.
    exact : bool
        Whether 8-bit RGB images are shrunk by Pillow also where torch can do it faster.
    """

    resize: int | tuple[int, int]
    crop: tuple[int, int] | None
    interpolation: str = "bilinear"
    exact: bool = True

    def __post_init__(self) -> None:
        names = [resampling.name.lower() for resampling in Image.Resampling]
        if self.interpolation not in names:
            raise ValueError(
                f"interpolation={self.interpolation!r} is not known; choose one of {names}"
            )


def fit(image: Image.Image, geometry: Geometry) -> Image.Image:
    """Return the image resized and cropped."""
    size = _resized(image.size, geometry.resize)
    box = (0.0, 0.0, float(image.width), float(image.height))
    if geometry.crop is not None:
        size, box = _without_far_ends(size, box, geometry.crop)
    if size != image.size:
        image = _resized_by_filter(image, size, box, geometry)
    if geometry.crop is not None:
        height, width = geometry.crop
        left, top = _offset(image.width, width), _offset(image.height, height)
        # Where the box extends beyond the image, Pillow pads with black.
        image = image.crop((left, top, left + width, top + height))
    return image


def reduce(image: Image.Image, geometry: Geometry) -> None:
    """Decode a large JPEG at a reduced size.

    The decoder can halve an image up to three times. The result is at least twice as large as
    after the resize, whatever the EXIF rotation, so the filter still applies; smaller images,
    and other formats, are not changed.
    """
    if image.format == "JPEG":
        wanted = geometry.resize if isinstance(geometry.resize, int) else max(geometry.resize)
        factor = 2 * wanted / min(image.size)
        if factor < 1:
            width, height = (math.ceil(side * factor) for side in image.size)
            image.draft(image.mode, (width, height))


def _resized_by_filter(image: Image.Image, size: Size, box: Box, geometry: Geometry) -> Image.Image:
    shrinks = size[0] <= image.width and size[1] <= image.height and box == (0, 0, *image.size)
    if not geometry.exact and shrinks and (image.mode, geometry.interpolation) in _FOR_TORCH:
        pixels = resample(np.array(image), (size[1], size[0]), geometry.interpolation)
        return Image.fromarray(pixels)
    return image.resize(size, Image.Resampling[geometry.interpolation.upper()], box)


def _without_far_ends(size: Size, box: Box, crop: tuple[int, int]) -> tuple[Size, Box]:
    """Return the size and the source box of the part within a crop, for long strips.

    An image of 1 x 10,000 pixels, resized to a short side of 256, has 655 megapixels.
    """
    if size[0] * size[1] <= _PIXELS:
        return size, box
    width, left, right = _within(size[0], box[2], crop[1])
    height, top, bottom = _within(size[1], box[3], crop[0])
    return (width, height), (left, top, right, bottom)


def _within(length: int, source: float, crop: int) -> tuple[int, float, float]:
    """Return the length of one axis, and the start and end of its source."""
    if length <= _CROPS * crop:
        return length, 0.0, source
    start = _offset(length, crop)
    return crop, start * source / length, (start + crop) * source / length


def _resized(size: tuple[int, int], wanted: int | tuple[int, int]) -> tuple[int, int]:
    if isinstance(wanted, tuple):
        return wanted[1], wanted[0]
    width, height = size
    # The long side is truncated, not rounded, as in torchvision.
    if width <= height:
        return wanted, int(wanted * height / width)
    return int(wanted * width / height), wanted


def _offset(length: int, crop: int) -> int:
    if length < crop:
        return -((crop - length) // 2)
    return round((length - crop) / 2)
