"""Whether a cell is an image, as far as its type and first bytes tell."""

from __future__ import annotations

from typing import Any

from PIL import Image

from sktransfer.exceptions import BadCellError
from sktransfer.modalities._cell_sources import is_meant_as_file
from sktransfer.modalities.image._decode import decodable_formats, image_extensions
from sktransfer.modalities.image._dicom import is_dicom
from sktransfer.modalities.image._pixel_sources import BASE64, format_of, image_source
from sktransfer.modalities.image._planes import CHANNELS

# An array of two axes, one of which is longer than this many times the other, holds no image.
_ASPECT = 100


def is_image(cell: Any, start: bytes | None) -> bool:
    """Return whether it is one; `start` are the first bytes of its file, if there is one."""
    if isinstance(cell, Image.Image):
        return True
    if start is not None:
        return is_dicom(start) or format_of(start, decodable_formats()) is not None
    return is_meant_as_file(cell, "image", image_extensions(), BASE64) or _is_array_of_one(cell)


def _is_array_of_one(cell: Any) -> bool:
    try:
        shape: tuple[int, ...] = getattr(image_source(cell), "shape", ())
    except BadCellError:
        return False
    if len(shape) == 2:
        return 0 < max(shape) <= _ASPECT * min(shape)
    # Channels first are refused later, with what to do.
    return len(shape) == 3 and (shape[0] in CHANNELS or shape[2] in CHANNELS)
