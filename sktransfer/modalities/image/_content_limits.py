"""Limits of an image: pixels, bytes of the file, scans of a JPEG, and sizes within a DICOM."""

import re
from functools import partial

from sktransfer.exceptions import BadCellError

MAX_PIXELS = 80_000_000
"""Most pixels of an image unless the user says otherwise: 240 MB as RGB."""

# Uncompressed RGBA of 16 bits has 8 bytes per pixel; a file far above that is no image of the
# allowed size. The metadata of a small image may be large.
_BYTES_PER_PIXEL = 16
_SMALLEST_LIMIT = 64 << 20


def check_pixels(size: tuple[int, int], max_pixels: int | None) -> None:
    """Refuse an image of more pixels than the limit; None is no limit.

    Pillow itself only warns, and refuses at twice ``PIL.Image.MAX_IMAGE_PIXELS``: a file of
    12 kB can hold 100 megapixels.
    """
    if max_pixels is not None and size[0] * size[1] > max_pixels:
        raise BadCellError(
            f"an image of {size[0]}x{size[1]} pixels is above the limit of {max_pixels} pixels; "
            "make it smaller, or raise max_pixels if you trust where it comes from"
        )


def most_bytes(max_pixels: int | None) -> int | None:
    """Return the size above which a file cannot be an image of the allowed size."""
    return None if max_pixels is None else max(_SMALLEST_LIMIT, _BYTES_PER_PIXEL * max_pixels)


# Encoders write about ten. Each scan, of as little as 82 bytes, makes the decoder go over all
# pixels once more: a file of 1 MB could take an hour.
_MOST_SCANS = 100

# Start of a segment of a JPEG file. Restart markers within compressed pixels start none, nor does
# TEM, which has no length and is skipped by decoders.
_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd7\xff])")
_little = partial(int.from_bytes, byteorder="little")

_START_OF_SCAN, _END = b"\xda", b"\xd9"


def check_content(data: bytes | bytearray, max_pixels: int | None) -> None:
    """Refuse content that Pillow would decode before its size can be asked for."""
    if data.startswith(b"\0\0\1\0"):
        _check_icon(data, max_pixels)
    elif data.startswith(b"\xff\xd8"):
        _check_scans(data)


# Start of a frame of a JPEG or JPEG-LS image, and of a codestream of JPEG 2000.
_FRAMES = frozenset(bytes([code]) for code in (*range(0xC0, 0xD0), 0xF7)) - {
    b"\xc4",
    b"\xc8",
    b"\xcc",
}
_CODESTREAM = b"\xff\x4f\xff\x51"


def check_coded_size(data: bytes, expected: tuple[int, int, int]) -> None:
    """Refuse compressed pixels that would decode to another size than the file around them says.

    Parameters
    ----------
    data : bytes
        An image of JPEG, JPEG-LS or JPEG 2000.
    expected : tuple of int
        Width, height and channels.
    """
    found = _jpeg_size(data) if data.startswith(b"\xff\xd8") else _codestream_size(data)
    if found != expected:
        raise BadCellError("compressed pixels do not have the size that the file says")


def _jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    position = 2
    while marker := _MARKER.search(data, position):
        start = marker.end()
        if marker[1] in _FRAMES and len(data) > start + 7:
            height, width = (int.from_bytes(data[start + k : start + k + 2]) for k in (3, 5))
            return width, height, data[start + 7]
        position = start + int.from_bytes(data[start : start + 2])
    return None


def _codestream_size(data: bytes) -> tuple[int, int, int] | None:
    if data.count(_CODESTREAM) != 1:  # a second one could be what is decoded
        return None
    start = data.index(_CODESTREAM) + 8
    right, bottom, left, top = (
        int.from_bytes(data[start + k : start + k + 4]) for k in (0, 4, 8, 12)
    )
    return right - left, bottom - top, int.from_bytes(data[start + 32 : start + 34])


def _check_scans(data: bytes | bytearray) -> None:
    # Enough for the usual file, and eight times as fast as what follows (60 kB, 40 us). The
    # marker may have more than one byte of 0xff before it, but the last of them is there.
    if data.count(b"\xff" + _START_OF_SCAN) <= _MOST_SCANS:
        return
    scans, position = 0, 2
    while (marker := _MARKER.search(data, position)) and marker[1] != _END:
        scans += marker[1] == _START_OF_SCAN
        if scans > _MOST_SCANS:
            raise BadCellError(
                f"a JPEG image of more than {_MOST_SCANS} scans would be decoded for very long; "
                "if you trust where it comes from, open it with PIL.Image.open"
            )
        # What is in a segment may look like a marker, so it is skipped by its length.
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])


def _check_icon(data: bytes | bytearray, max_pixels: int | None) -> None:
    # Pillow decodes a picture when it opens the file, and the directory may be wrong about it.
    for entry in range(6, 6 + 16 * _little(data[4:6]), 16):
        start = _little(data[entry + 12 : entry + 16])
        picture = data[start : start + 24]
        if picture.startswith(b"\x89PNG"):
            size = int.from_bytes(picture[16:20]), int.from_bytes(picture[20:])
        else:  # a bitmap, with a mask below it of the same height
            size = _little(picture[4:8]), _little(picture[8:12]) // 2
        check_pixels(size, max_pixels)
