"""Digests of cells: the same content gives the same 16 bytes, wherever it lies."""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from sktransfer.cells._cell import named
from sktransfer.cells._hash import (
    array_digest,
    content_digest,
    file_digest,
    status_digest,
    text_digest,
)
from sktransfer.cells._image import decode_image
from sktransfer.cells._limits import MAX_PIXELS
from sktransfer.cells._source import image_source, open_file, stat_file, unreadable
from sktransfer.exceptions import BadCellError

# Some file systems keep times in steps of 2 seconds, and within one step a file can be
# rewritten at the same size without a trace.
_RACY_NS = 2_000_000_000


class FileMemo(Protocol):
    """Remembers the content digests of files, so that unchanged ones are not read again.

    A key is a digest of a file's absolute path, size, times, device and inode.
    """

    def read_file_digests(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the content digest for each key, None where it is not known."""
        ...

    def write_file_digests(self, keys: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Remember one content digest for each key."""
        ...


class _File(NamedTuple):
    path: str
    key: bytes
    racy: bool


def digest_texts(cells: Iterable[str | None]) -> list[bytes | None]:
    """Return 16 bytes for each text; equal texts have equal digests.

    Parameters
    ----------
    cells : iterable of str or None
        Texts as `read_texts` gives them.

    Returns
    -------
    list of bytes or None
        None in the place of None.
    """
    return [None if text is None else text_digest(text) for text in cells]


def digest_images(
    cells: Iterable[object],
    memo: FileMemo | None = None,
    *,
    max_pixels: int | None = MAX_PIXELS,
) -> list[bytes | BadCellError]:
    """Return 16 bytes for each image cell; equal content has equal digests.

    A file has the digest of its bytes and a Pillow image that of its decoded pixels.
    Arrays differ where their dtype or shape does, even if they show the same picture.

    Parameters
    ----------
    cells : iterable of object
        Image cells, as `decode_image` takes them.
    memo : FileMemo, optional
        Where the digests of files are remembered. It is asked once and told once a call.
    max_pixels : int or None
        As for `decode_image`. Of bytes and files, pixels are counted only when they are decoded.

    Returns
    -------
    list of bytes or BadCellError
        The error, not raised, in the place of a cell that cannot be read at all. A
        cell that has a digest may still turn out to be no image when it is decoded.
    """
    now = time.time_ns()
    found = [_digest_or_file(cell, now, max_pixels) for cell in cells]
    files = {entry.key: entry for entry in found if isinstance(entry, _File)}
    digests = _digest_files(files, memo, max_pixels)
    return [digests[entry.key] if isinstance(entry, _File) else entry for entry in found]


def _digest_or_file(cell: object, now: int, max_pixels: int | None) -> bytes | BadCellError | _File:
    try:
        source = image_source(cell)
        if isinstance(source, np.ndarray):
            return _digest_array(source)
        if isinstance(source, (bytes, bytearray)):
            return content_digest(source)
        if isinstance(source, str):
            return _file(source, now, max_pixels)
    except BadCellError as error:
        return named(cell, error)
    return _digest_pillow(source, max_pixels)


def _digest_array(array: np.ndarray) -> bytes:
    if array.dtype.kind not in "buif":
        raise BadCellError(
            f"an array of dtype {array.dtype} is not an image; pass one array of numbers a row"
        )
    return array_digest(array)


def _digest_pillow(image: Image.Image, max_pixels: int | None) -> bytes | BadCellError:
    try:
        return array_digest(decode_image(image, max_pixels=max_pixels))
    except BadCellError as error:
        return error


def _file(path: str, now: int, max_pixels: int | None = None) -> _File:
    status = stat_file(path, max_pixels)
    times = status.st_mtime_ns, status.st_ctime_ns
    key = status_digest(path, status.st_size, *times, status.st_dev, status.st_ino)
    # A time in the future, of an archive or a wrong clock, is as little to be trusted.
    return _File(path, key, racy=now - max(times) < _RACY_NS)


def _may_be_remembered(file: _File) -> bool:
    """Whether the path led to the same unchanged file before and after it was read.

    It can be a link, or lie below one, that was turned to another file meanwhile: if it is
    turned back some day, the digest of that other file would be taken for this one's.
    """
    try:
        return not file.racy and _file(file.path, 0).key == file.key
    except BadCellError:
        return False


def _digest_files(
    files: dict[bytes, _File], memo: FileMemo | None, max_pixels: int | None
) -> dict[bytes, bytes | BadCellError]:
    known = _remembered(list(files), memo)
    digests = {
        key: known.get(key) or _digest_file(file.path, max_pixels) for key, file in files.items()
    }
    if memo is not None:
        fresh = {
            key: digest
            for key, digest in digests.items()
            if key not in known and isinstance(digest, bytes) and _may_be_remembered(files[key])
        }
        if fresh:
            memo.write_file_digests(list(fresh), list(fresh.values()))
    return digests


def _remembered(keys: list[bytes], memo: FileMemo | None) -> dict[bytes, bytes]:
    if memo is None or not keys:
        return {}
    digests = memo.read_file_digests(keys)
    return {key: digest for key, digest in zip(keys, digests, strict=True) if digest}


def _digest_file(path: str, max_pixels: int | None) -> bytes | BadCellError:
    try:
        with open_file(path, max_pixels) as file:
            return file_digest(file)
    except BadCellError as error:
        return named(path, error)
    except OSError as error:
        return named(path, unreadable(error))
