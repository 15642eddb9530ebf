"""Columns in, pixels and clean texts out."""

from sktransfer.cells._cell import is_missing
from sktransfer.cells._column import Column, as_column
from sktransfer.cells._digest import digest_images, digest_texts
from sktransfer.cells._geometry import Geometry
from sktransfer.cells._image import decode_image, load_pixels
from sktransfer.cells._limits import MAX_PIXELS
from sktransfer.cells._text import read_texts

__all__ = [
    "MAX_PIXELS",
    "Column",
    "Geometry",
    "as_column",
    "decode_image",
    "digest_images",
    "digest_texts",
    "is_missing",
    "load_pixels",
    "read_texts",
]
