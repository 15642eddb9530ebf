"""Digests of image cells: equal content has equal digests, wherever it is stored."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from PIL import Image

from sktransfer.cache import FeatureCache
from sktransfer.columns import name_cell
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._files import FileCell, digest_files, file_cell
from sktransfer.modalities._hashes import array_digest, content_digest
from sktransfer.modalities.image._decode import decode_source
from sktransfer.modalities.image._limits import MAX_PIXELS, check_bytes
from sktransfer.modalities.image._pixel_sources import image_source


def digest_images(
    cells: Iterable[object], cache: FeatureCache, *, max_pixels: int | None = MAX_PIXELS
) -> list[bytes | BadCellError]:
    """Return 16 bytes for each image cell; equal content has equal digests.

    A file has the digest of its bytes, a Pillow image that of its decoded pixels. Arrays of
    another dtype or shape have another digest, even if they show the same picture.

    Parameters
    ----------
    cells : iterable of object
        Image cells, as `decode_image` takes them.
    cache : FeatureCache
        Stores the digests of files.
    max_pixels : int or None
        As for `decode_image`. The pixels of bytes and files are counted when they are decoded.

    Returns
    -------
    list of bytes or BadCellError
        The error, not raised, in place of a cell that cannot be read. A cell that has a digest
        may still fail when it is decoded.
    """
    found = [_digest(cell, max_pixels) for cell in cells]
    files = [entry for entry in found if isinstance(entry, FileCell)]
    digests = digest_files(files, cache, partial(check_bytes, max_pixels=max_pixels))
    return [digests[entry.key] if isinstance(entry, FileCell) else entry for entry in found]


def _digest(cell: object, max_pixels: int | None) -> bytes | BadCellError | FileCell:
    try:
        source = image_source(cell)
        if isinstance(source, str):
            return file_cell(source, partial(check_bytes, max_pixels=max_pixels))
        if isinstance(source, (bytes, bytearray)):
            return content_digest(source)
        if isinstance(source, Image.Image):
            source = decode_source(source, max_pixels=max_pixels)
        return array_digest(source)
    except BadCellError as error:
        return name_cell(cell, error)
