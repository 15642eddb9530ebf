"""Height and width of an image, from the beginning of its file where that tells them."""

from __future__ import annotations

import io

import numpy as np
from PIL import ExifTags, Image

from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._files import read_file
from sktransfer.modalities.image._content_limits import check_content, check_pixels, most_bytes
from sktransfer.modalities.image._decode import decodable_formats, decode_source
from sktransfer.modalities.image._dicom import is_dicom
from sktransfer.modalities.image._pixel_sources import Source, image_source
from sktransfer.modalities.image._window import Window

# EXIF orientations that turn the image by a quarter.
_QUARTERS = frozenset({5, 6, 7, 8})


def shape_of_image(
    cell: object, max_pixels: int | None, window: Window | None = None
) -> tuple[int, int] | None:
    """Return height and width of an image cell as it is shown; None if it cannot be read."""
    try:
        source: Source = image_source(cell)
        if isinstance(source, str):
            source = read_file(source, most_bytes(max_pixels))
        return _of_header(source, max_pixels) or _decoded(source, max_pixels, window)
    except BadCellError:
        return None


def _of_header(source: Source, max_pixels: int | None) -> tuple[int, int] | None:
    try:
        if isinstance(source, Image.Image):
            return _upright(source)
        if isinstance(source, np.ndarray | str):
            return None
        if is_dicom(source):  # its preamble may be that of a TIFF file
            return None
        check_content(source, max_pixels)
        with (
            warnings_ignored(module=r"PIL\."),
            Image.open(io.BytesIO(source), formats=decodable_formats()) as image,
        ):
            check_pixels(image.size, max_pixels)
            return _upright(image)
    except BadCellError:
        raise
    except Exception:  # of damaged data; or it is none of Pillow's formats
        return None


def _upright(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    turned = image.getexif().get(ExifTags.Base.Orientation) in _QUARTERS
    return (width, height) if turned else (height, width)


def _decoded(source: Source, max_pixels: int | None, window: Window | None) -> tuple[int, int]:
    height, width = decode_source(source, None, None, max_pixels, window).shape[:2]
    return height, width
