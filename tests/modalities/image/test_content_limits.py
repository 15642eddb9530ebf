"""Limits of pixels, file size and scans are checked before decoding."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import Geometry, decode_image
from tests.modalities.image._bad_images import (
    NOISE,
    PNG,
    encoded,
    icon_with_wrong_size,
    jpeg_with_repeated_scans,
    png_file,
)
from tests.modalities.image._digests import digests

FRAMES = [Image.fromarray(np.roll(NOISE, k, axis=0)) for k in range(3)]
MANY = {"save_all": True, "append_images": FRAMES[1:]}
TURNED = Image.Exif()
TURNED[0x0112] = 6

LIMITED = {
    "PNG": encoded(NOISE),
    "JPEG": encoded(NOISE, "JPEG"),
    "JPEG turned": encoded(NOISE, "JPEG", exif=TURNED.tobytes()),
    "BMP": encoded(NOISE, "BMP"),
    "PPM": encoded(NOISE, "PPM"),
    "JPEG2000": encoded(NOISE, "JPEG2000"),
    "GIF of frames": encoded(FRAMES[0], "GIF", **MANY),
    "PNG of frames": encoded(FRAMES[0], "PNG", **MANY),
    "WEBP of frames": encoded(FRAMES[0], "WEBP", **MANY),
    "TIFF of pages": encoded(FRAMES[0], "TIFF", **MANY),
    "AVIF of frames": encoded(FRAMES[0], "AVIF", **MANY),
    "icon": encoded(FRAMES[0], "ICO", sizes=[(32, 32)]),
    "icon of the wrong size": icon_with_wrong_size(),
}


@pytest.mark.parametrize("content", LIMITED.values(), ids=LIMITED)
def test_the_pixel_limit_applies_to_every_format(content):
    with warnings_ignored(module=r"PIL\."):
        lazy = Image.open(io.BytesIO(content))
    assert decode_image(content, max_pixels=1024).shape == (32, 32, 3)
    for cell in (content, lazy):
        with pytest.raises(BadCellError, match="32x32 pixels is above the limit of 1023 pixels"):
            decode_image(cell, max_pixels=1023)
    with pytest.raises(BadCellError, match="raise max_pixels if you trust where it comes from"):
        decode_image(content, Geometry(8, (8, 8)), max_pixels=1023)


def test_an_icon_is_refused_before_any_of_it_is_decoded():
    bomb = icon_with_wrong_size().replace(encoded(NOISE), png_file(9_000, 9_000, b""))
    bitmap = encoded(FRAMES[0], "ICO", sizes=[(32, 32)], bitmap_format="bmp")
    assert decode_image(bitmap, max_pixels=1024).shape == (32, 32, 3)
    match = "9000x9000 pixels is above the limit of 80000000 pixels"
    with pytest.raises(BadCellError, match=match):
        decode_image(bomb)
    with pytest.raises(BadCellError, match="32x32 pixels is above the limit of 1023"):
        decode_image(bitmap, max_pixels=1023)


def test_only_real_scans_are_counted():
    few = jpeg_with_repeated_scans(50)
    expected = decode_image(few)
    comment = b"\xff\xda" * 200
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    np.testing.assert_array_equal(decode_image(few[:2] + segment + few[2:]), expected)
    np.testing.assert_array_equal(decode_image(few + comment), expected)
    hidden = b"\xff\xfe\0\6\xff\xd9\xff\xd9"  # an end marker in a comment
    many = jpeg_with_repeated_scans(100)
    with pytest.raises(BadCellError, match="more than 100 scans"):
        decode_image(many[:2] + hidden + many[2:])
    # A marker without a length, which decoders skip: the next bytes are not a length.
    with pytest.raises(BadCellError, match="more than 100 scans"):
        decode_image(many.replace(b"\xff\xda", b"\xff\x01\xff\xda"))


def test_pixels_of_later_pages_are_not_counted():
    large = Image.new("1", (3000, 3000))
    content = encoded(FRAMES[0], "TIFF", save_all=True, append_images=[large])
    assert decode_image(content, max_pixels=1024).shape == (32, 32, 3)


def test_without_a_limit_pillows_limit_applies(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    assert decode_image(PNG, max_pixels=None).shape == (32, 32, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(BadCellError, match=r"both max_pixels and PIL\.Image\.MAX_IMAGE_PIXELS"):
        decode_image(PNG, max_pixels=None)


def test_an_array_is_already_in_memory_and_has_no_limit():
    np.testing.assert_array_equal(decode_image(NOISE, max_pixels=1), NOISE)


def test_a_file_much_larger_than_its_pixels_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with path.open("ab") as file:
        file.truncate(65 << 20)
    match = "68157440 bytes is above the limit of 67108864 bytes"
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", None)
        with pytest.raises(BadCellError, match=match):
            decode_image(path, max_pixels=1_000_000)
        (error,) = digests([path], max_pixels=1_000_000)
    assert match in str(error)
    # 16 bytes per allowed pixel are accepted.
    assert decode_image(path, max_pixels=8_000_000).shape == (32, 32, 3)
    assert decode_image(path, max_pixels=None).shape == (32, 32, 3)
