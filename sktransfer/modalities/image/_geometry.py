"""Resizing and cropping images to the input size of a network."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image

Size: TypeAlias = tuple[int, int]

# Of a strip that would be resized to more than `_PIXELS` pixels only the centre is, `_ASPECT` times
# as long as wide. That differs by rounding, so other images are resized whole.
_PIXELS, _ASPECT = 16_000_000, 32

_FOR_TORCH = {("RGB", "bilinear"), ("RGB", "bicubic")}


@dataclass(frozen=True)
class Geometry:
    """A resize and a centre crop, pixel for pixel those of torchvision on Pillow images.

    Parameters
    ----------
    resize : int or tuple of (int, int)
        Length of the short side, the aspect ratio being kept, or (height, width).
    crop : tuple of (int, int)
        Height and width of the centre crop after it. Where the image is smaller than the crop, it
        is padded with black.
    interpolation : {"nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"}
        Pillow's name of the filter. Apart from "nearest", all of them antialias.
    exact : bool
        Whether 8-bit RGB images are shrunk by Pillow also where torch can do it faster.
    """

    resize: int | tuple[int, int]
    crop: tuple[int, int]
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
    if isinstance(geometry.resize, int) and math.prod(size) > _PIXELS:
        image = _without_far_ends(image)
        size = _resized(image.size, geometry.resize)
    if size != image.size:
        image = _resized_by_filter(image, size, geometry)
    return _cropped(image, geometry.crop[1], geometry.crop[0])


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


def resample(pixels: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize with torch: several times faster than Pillow, equal to one or two grey levels.

    Parameters
    ----------
    pixels : ndarray of shape (H, W, 3), uint8
    size : tuple of int
        Height and width.
    interpolation : {"bilinear", "bicubic"}
        Both antialias.

    Returns
    -------
    ndarray of shape (*size, 3), uint8
    """
    import torch

    # A view (1, 3, H, W) of memory in the order (1, H, W, 3): torch has a fast kernel for that
    # order, and returns it, as long as the stride of the first axis fits too.
    planes = torch.from_numpy(pixels).unsqueeze(0).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(planes, size, mode=interpolation, antialias=True)
    return resized.permute(0, 2, 3, 1).squeeze(0).numpy()


def _resized_by_filter(image: Image.Image, size: Size, geometry: Geometry) -> Image.Image:
    shrinks = size[0] <= image.width and size[1] <= image.height
    if not geometry.exact and shrinks and (image.mode, geometry.interpolation) in _FOR_TORCH:
        pixels = resample(np.array(image), (size[1], size[0]), geometry.interpolation)
        return Image.fromarray(pixels)
    return image.resize(size, Image.Resampling[geometry.interpolation.upper()])


def _without_far_ends(image: Image.Image) -> Image.Image:
    """Return the centre of a long strip.

    An image of 1 x 10,000 pixels, resized to a short side of 256, has 655 megapixels.
    """
    longest = _ASPECT * min(image.size)
    # Odd lengths stay odd, so that the centre is the same to the pixel.
    width, height = (min(side, longest + (side - longest) % 2) for side in image.size)
    return _cropped(image, width, height)


def _cropped(image: Image.Image, width: int, height: int) -> Image.Image:
    left, top = _offset(image.width, width), _offset(image.height, height)
    # Where the box extends beyond the image, Pillow pads with black.
    return image.crop((left, top, left + width, top + height))


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
