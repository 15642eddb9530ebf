"""How an image is brought to the size that a network wants."""

from dataclasses import dataclass

from PIL import Image

from sktransfer.exceptions import BadCellError

TRUSTED = "make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust where it comes from"
"""What to do about an image that is too large."""


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
    """

    resize: int | tuple[int, int]
    crop: tuple[int, int] | None
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        names = [resampling.name.lower() for resampling in Image.Resampling]
        if self.interpolation not in names:
            raise ValueError(
                f"interpolation={self.interpolation!r} is not known; choose one of {names}"
            )


def fit(image: Image.Image, geometry: Geometry) -> Image.Image:
    """Return the image resized and cropped."""
    size = _resized(image.size, geometry.resize)
    if size != image.size:
        check_pixel_count(size)
        image = image.resize(size, Image.Resampling[geometry.interpolation.upper()])
    if geometry.crop is not None:
        height, width = geometry.crop
        left, top = _offset(image.width, width), _offset(image.height, height)
        # A box that reaches beyond the image is Pillow's way of padding with black.
        image = image.crop((left, top, left + width, top + height))
    return image


def check_pixel_count(size: tuple[int, int]) -> None:
    """Refuse more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``, which None switches off.

    Pillow itself only warns there: a file of 12 kB can hold 100 megapixels.
    """
    pixels, limit = size[0] * size[1], Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise BadCellError(
            f"an image of {size[0]}x{size[1]} pixels is above the limit of {limit} pixels; "
            f"{TRUSTED}"
        )


def _resized(size: tuple[int, int], wanted: int | tuple[int, int]) -> tuple[int, int]:
    if isinstance(wanted, tuple):
        return wanted[1], wanted[0]
    width, height = size
    # The long side is cut off, not rounded, as torchvision does.
    if width <= height:
        return wanted, int(wanted * height / width)
    return int(wanted * width / height), wanted


def _offset(length: int, crop: int) -> int:
    if length < crop:
        return -((crop - length) // 2)
    return round((length - crop) / 2)
