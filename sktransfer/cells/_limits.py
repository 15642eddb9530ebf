"""How much an image may hold: a limit of pixels, and one of bytes that follows from it."""

from typing import Literal

from sktransfer.exceptions import BadCellError

MAX_PIXELS = 80_000_000
"""Most pixels of an image unless the user says otherwise: 240 MB as RGB."""

# Uncompressed RGBA of 16 bits has 8 bytes a pixel; what is far above that is no image of the
# allowed size. Metadata may be large beside a small image.
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


def check_icon(data: bytes | bytearray, max_pixels: int | None) -> None:
    """Refuse an ICO file whose pictures are too large, whatever its directory says of them.

    Pillow decodes the first of them when it opens the file, before anybody can ask for its size.
    """
    if not data.startswith(b"\0\0\1\0"):
        return
    for entry in range(6, 6 + 16 * _number(data, 4, 2), 16):
        start = _number(data, entry + 12, 4)
        if data[start : start + 4] == b"\x89PNG":
            size = _number(data, start + 16, 4, "big"), _number(data, start + 20, 4, "big")
        else:  # a bitmap, with a mask below it of the same height
            size = _number(data, start + 4, 4), _number(data, start + 8, 4) // 2
        check_pixels(size, max_pixels)


def _number(
    data: bytes | bytearray, start: int, count: int, order: Literal["little", "big"] = "little"
) -> int:
    return int.from_bytes(data[start : start + count], order)


def check_bytes(count: int, max_pixels: int | None) -> None:
    """Refuse a file that no image of the allowed size fills, before any of it is read."""
    if max_pixels is None:
        return
    limit = max(_SMALLEST_LIMIT, _BYTES_PER_PIXEL * max_pixels)
    if count > limit:
        raise BadCellError(
            f"a file of {count} bytes is above the limit of {limit} bytes, "
            f"{_BYTES_PER_PIXEL} for each of max_pixels={max_pixels}; see whether it is an image, "
            "or raise max_pixels"
        )
