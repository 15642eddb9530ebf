"""Every kind of image becomes the pixels that it shows, and every bad one says what it is."""

import io
import os
import pathlib
import socket
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from sktransfer.cells import Geometry, decode_image, digest_images, load_pixels
from sktransfer.cells._quiet import pillow_warnings_ignored
from sktransfer.exceptions import BadCellError

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
GREY = RGB[..., 0]
GREY3 = np.repeat(GREY[..., None], 3, axis=2)
WORDS16 = np.arange(30, dtype=np.uint16).reshape(6, 5) * 2184


def _encoded(image, format="PNG", **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        stream, format, **options
    )
    return stream.getvalue()


def _grey3(values):
    return np.repeat(np.asarray(values, dtype=np.float32)[..., None], 3, axis=2)


# Good images ------------------------------------------------------------------------------


def test_path_bytes_image_and_array_of_the_same_picture_give_the_same_pixels(tmp_path):
    path = tmp_path / "ünï cödé.png"
    content = _encoded(RGB)
    path.write_bytes(content)
    with Image.open(path) as lazy:
        cells = [
            *(path, str(path), np.str_(path), os.fspath(path), lazy),
            *(content, bytearray(content), memoryview(content)),
            *(Image.fromarray(RGB), RGB, torch.from_numpy(RGB), np.asfortranarray(RGB)),
            *(RGB.astype(int), RGB.astype(">i4")),
        ]
        for cell in cells:
            pixels = decode_image(cell)
            np.testing.assert_array_equal(pixels, RGB)
            assert pixels.dtype == np.uint8


ARRAYS = {
    "grey": (GREY, GREY3),
    "grey with axis": (GREY[..., None], GREY3),
    "int64": (GREY.astype(np.int64), GREY3),
    "bool": (GREY > 99, np.where(GREY3 > 99, 255, 0).astype(np.uint8)),
    "uint16": (WORDS16, _grey3(WORDS16 / 65535)),
    "big-endian uint16": (WORDS16.astype(">u2"), _grey3(WORDS16 / 65535)),
    "float64": (RGB / 255, (RGB / 255).astype(np.float32)),
    "float16": (np.full((2, 2), 0.5, np.float16), _grey3(np.full((2, 2), 0.5))),
    "big-endian float": ((RGB / 255).astype(">f4"), (RGB / 255).astype(np.float32)),
    "just outside": (np.array([[-5e-7, 1 + 5e-7]]), _grey3([[0, 1]])),
    "dark floats": (np.full((2, 2), 0.0), _grey3(np.zeros((2, 2)))),
}


@pytest.mark.parametrize(("array", "expected"), ARRAYS.values(), ids=ARRAYS)
def test_arrays_become_rgb_of_8_bits_or_floats(array, expected):
    pixels = decode_image(array)
    np.testing.assert_allclose(pixels, expected, atol=1e-6)
    assert pixels.dtype == expected.dtype
    assert pixels.dtype.isnative


def _on_white(rgba):
    colour, alpha = rgba[..., :3].astype(float), rgba[..., 3:] / 255
    return colour * alpha + 255 * (1 - alpha)


def test_alpha_shows_a_white_background_whatever_carries_it():
    alpha = np.linspace(0, 255, 30).round().astype(np.uint8).reshape(6, 5)
    rgba = np.dstack([RGB, alpha])
    expected = _on_white(rgba)
    for cell in (rgba, Image.fromarray(rgba), _encoded(rgba)):
        np.testing.assert_allclose(decode_image(cell), expected, atol=1)
    floats = decode_image(rgba / 255)
    np.testing.assert_allclose(floats * 255, expected, atol=1e-3)
    grey = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)])
    grey_expected = _on_white(np.dstack([GREY3, alpha]))
    for cell in (grey, _encoded(grey)):
        np.testing.assert_allclose(decode_image(cell), grey_expected, atol=1)


def test_a_transparent_colour_or_palette_entry_is_white():
    rgb = RGB.copy()
    rgb[0, 0] = 1, 2, 3
    expected = rgb.copy()
    expected[0, 0] = 255
    np.testing.assert_array_equal(decode_image(_encoded(rgb, transparency=(1, 2, 3))), expected)
    palette = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), mode="L").convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for options in ({"transparency": 1}, {"transparency": bytes([255, 0, 255])}):
        pixels = decode_image(_encoded(palette, **options))
        np.testing.assert_array_equal(pixels, [[[10, 20, 30], [255, 255, 255], [70, 80, 90]]])
    np.testing.assert_array_equal(decode_image(_encoded(palette))[0, 1], [40, 50, 60])
    words = _encoded(WORDS16, transparency=int(WORDS16[3, 3]))
    assert decode_image(words)[3, 3].tolist() == [1, 1, 1]
    assert decode_image(words)[3, 2, 0] == pytest.approx(WORDS16[3, 2] / 65535)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "LAB", "RGBX", "PA"])
def test_every_mode_of_pillow_becomes_rgb(mode):
    photo = np.zeros((6, 5, 3), dtype=np.uint8)
    photo[:3] = 255
    image = Image.fromarray(photo).convert("P" if mode == "PA" else mode).convert(mode)
    assert image.mode == mode
    np.testing.assert_allclose(decode_image(image), photo, atol=2)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_grey_of_16_bits_is_scaled_and_not_saturated(format):
    pixels = decode_image(_encoded(WORDS16, format))
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, _grey3(WORDS16 / 65535), atol=1e-7)
    np.testing.assert_array_equal(pixels, decode_image(WORDS16))
    integers = Image.fromarray(WORDS16.astype(np.int32))
    assert integers.mode == "I"
    np.testing.assert_array_equal(decode_image(integers), pixels)


def test_a_pillow_image_of_floats_must_lie_in_the_unit_interval():
    image = Image.fromarray(np.array([[0.25, 0.5]], dtype=np.float32))
    np.testing.assert_array_equal(decode_image(image), _grey3([[0.25, 0.5]]))
    with pytest.raises(BadCellError, match=r"PIL image F 1x1>: .*\[0, 1\], found 99 to 99"):
        decode_image(Image.new("F", (1, 1), 99))
    with pytest.raises(BadCellError, match=r"0\.\.65535, found 70000 to 70000"):
        decode_image(Image.new("I", (1, 1), 70000))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_rotation_that_exif_asks_for_is_applied(orientation):
    turned = {
        1: RGB, 2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1],
        5: RGB.swapaxes(0, 1), 6: np.rot90(RGB, -1),
        7: RGB[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(RGB),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = _encoded(RGB, exif=exif.tobytes())
    image = Image.open(io.BytesIO(content))
    for cell in (content, image, image):
        np.testing.assert_array_equal(decode_image(cell), turned)


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "lime")]
    for format in ("GIF", "PNG", "WEBP"):
        options = {"lossless": True} if format == "WEBP" else {}
        content = _encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
        assert Image.open(io.BytesIO(content)).n_frames == 2
        assert decode_image(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("format", ["BMP", "GIF", "TIFF", "PPM", "ICO", "WEBP", "JPEG", "JPEG2000"])
def test_common_formats_are_decoded(format):
    image = np.full((16, 16, 3), 200, dtype=np.uint8)
    np.testing.assert_allclose(decode_image(_encoded(image, format)), image, atol=2)


def test_pixels_are_new_and_writable_and_the_cell_is_left_alone():
    for cell in (RGB, Image.fromarray(RGB), RGB / 255, _encoded(RGB)):
        pixels = decode_image(cell)
        assert pixels.flags.writeable
        pixels[:] = 0
        assert decode_image(cell).any()


def test_a_pillow_image_keeps_mode_info_and_frame():
    image = Image.open(io.BytesIO(_encoded(RGB, "GIF", transparency=3)))
    before = (image.mode, dict(image.info), image.tell(), image.size)
    decode_image(image)
    assert (image.mode, dict(image.info), image.tell(), image.size) == before


def test_damaged_exif_data_does_not_cost_the_picture():
    content = _encoded(RGB, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xffgarbage")
    np.testing.assert_array_equal(decode_image(content), RGB)


# Bad images -------------------------------------------------------------------------------

HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
JPEG = _encoded(np.full((64, 64, 3), 99, np.uint8), "JPEG")
PNG = _encoded(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
MISSING = "the image is missing; drop the row"

BAD = {
    "None": (None, "None: " + MISSING),
    "nan": (float("nan"), MISSING),
    "NA": (pd.NA, MISSING),
    "NaT": (pd.NaT, MISSING),
    "empty str": ("", MISSING),
    "blank": ("  ", MISSING),
    "int": (3, "a value of type int is not an image; pass a path"),
    "numpy scalar": (np.float64(3), "a value of type float64 is not an image"),
    "list": ([[0, 1]], "a value of type list is not an image; pass a path"),
    "dict": ({"bytes": b""}, "a value of type dict is not an image"),
    "http": ("https://example.org/a.png", "URLs are never fetched; download the image"),
    "file URL": ("file:///a.png", "URLs are never fetched"),
    "data URL": ("data:image/png;base64,AAAA", "URLs are never fetched"),
    "absent": ("no/such.png", r"'no/such\.png': no such file"),
    "absent Path": (pathlib.Path("no/such.png"), r"'no/such\.png': no such file"),
    "tilde": ("~/a.png", r"no such file \('~' is not expanded\)"),
    "NUL": ("a\0.png", "the file cannot be read"),
    "surrogate": ("a\ud800.png", "the file cannot be read"),
    "too long": ("a" * 5000, r"the file cannot be read \(File name too long\)"),
    "directory": (str(pathlib.Path(__file__).parent), "is a directory, not a file; pass the path"),
    "device": ("/dev/zero", "is a device, not a file"),
    "no bytes": (b"", "it seems to be empty"),
    "html": (HTML, "a web page, perhaps a failed download"),
    "svg": (b"<?xml version='1.0'?><svg></svg>", "an SVG drawing"),
    "pdf": (b"%PDF-1.7 ...", "a PDF document"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript document"),
    "zip": (b"PK\x03\x04....", "a zip archive"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC image"),
    "noise": (b"\x07\x08\x09" * 99, "of an unknown format; the formats are PNG, JPEG"),
    "cut JPEG": (JPEG[:-200], "cannot be decoded .* a damaged JPEG image; get the image anew"),
    "cut PNG": (PNG[:-500], "cannot be decoded .* a damaged PNG image"),
    "cut header": (PNG[:20], "a damaged PNG image"),
    "0 wide": (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\) has no pixels"),
    "0x0 PIL": (Image.new("RGB", (0, 5)), "an image of 0x5 pixels has no pixels"),
    "1-D": (np.zeros(9), r"shape \(9,\) is not an image; pass \(H, W\)"),
    "4-D": (np.zeros((1, 4, 4, 3)), r"shape \(1, 4, 4, 3\) is not an image"),
    "2 channels": (np.zeros((5, 4, 2)), r"shape \(5, 4, 2\) is not an image"),
    "channels first": (np.zeros((3, 8, 9)), r"channels first; .*moveaxis\(image, 0, -1\)"),
    "tensor": (torch.zeros(3, 8, 9), r"<Tensor of shape .*channels first"),
    "gradient": (torch.zeros(8, 9, requires_grad=True), r"cannot be read.*detach\(\)"),
    "above 1": (np.array([[0.0, 255.0]]), r"\[0, 1\], found 0 to 255; divide .* X / 255"),
    "below 0": (np.array([[-1.0, 1.0]]), r"\[0, 1\], found -1 to 1"),
    "nan pixels": (np.array([[0, np.nan]]), "NaN or infinite values"),
    "inf pixels": (np.array([[0, np.inf]]), "NaN or infinite values"),
    "int above": (np.array([[0, 256]]), r"int64 pixels must lie in 0\.\.255, found 0 to 256"),
    "int below": (np.array([[-1, 9]]), r"must lie in 0\.\.255, found -1 to 9"),
    "object": (np.array([["a"]], dtype=object), "dtype object is not an image"),
    "complex": (np.zeros((2, 2), complex), "dtype complex128 is not an image"),
}  # fmt: skip


@pytest.mark.parametrize(("cell", "match"), BAD.values(), ids=BAD)
def test_a_bad_image_says_what_it_is_and_what_to_do(cell, match):
    for read in (decode_image, lambda cell: load_pixels(cell, Geometry(8, (8, 8)))):
        with pytest.raises(BadCellError, match=match) as caught:
            read(cell)
        assert caught.value.row is None


def test_special_files_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadCellError, match="is a named pipe, not a file"):
        decode_image(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(BadCellError, match="is a socket, not a file"):
            decode_image(tmp_path / "s")


def test_a_loop_of_links_and_a_file_used_as_a_folder_are_bad_cells(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(BadCellError, match=r"cannot be read .*symbolic links"):
        decode_image(tmp_path / "loop")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(BadCellError, match=r"cannot be read \(Not a directory\)"):
        decode_image(tmp_path / "file" / "a.png")


def test_a_file_without_permission_is_a_bad_cell(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    # Not chmod: the superuser may read everything.
    monkeypatch.setattr(pathlib.Path, "open", refuse)
    monkeypatch.setattr(pathlib.Path, "read_bytes", refuse)
    with pytest.raises(
        BadCellError, match=r"Permission denied.*check the path and its permissions"
    ):
        decode_image(path)
    (error,) = digest_images([path])
    assert "Permission denied" in str(error)


def _chunk(name, data):
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum


def _png_header(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", b""), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side):
    content = _png_header(side, side)
    with pytest.raises(BadCellError, match=r"limit of \d+ pixels.*MAX_IMAGE_PIXELS"):
        decode_image(content)


def test_the_limit_of_pixels_is_pillows_own(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 29)
    for cell in (_encoded(RGB), Image.fromarray(RGB)):
        with pytest.raises(BadCellError, match="5x6 pixels is above the limit of 29 pixels"):
            decode_image(cell)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    np.testing.assert_array_equal(decode_image(_encoded(RGB)), RGB)


def test_every_flipped_byte_gives_pixels_or_a_bad_cell():
    contents = {format: _encoded(RGB, format) for format in ("PNG", "GIF", "TIFF", "WEBP", "BMP")}
    damaged = 0
    for content in contents.values():
        for position in range(len(content)):
            broken = bytearray(content)
            broken[position] ^= 0xFF
            try:
                assert decode_image(broken).shape[2] == 3
            except BadCellError:
                damaged += 1
    assert damaged > 50


def test_a_lazily_opened_image_whose_file_is_gone_is_a_bad_cell(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG[:-500])
    image = Image.open(path)
    with pytest.raises(BadCellError, match=r"PIL image RGB 32x32>: cannot be decoded.*load\(\)"):
        decode_image(image)
    with Image.open(path) as closed:
        pass
    with pytest.raises(BadCellError, match="cannot be decoded"):
        decode_image(closed)


# Threads and warnings ---------------------------------------------------------------------


def _warning_png():
    # An animation of no frames: Pillow warns of it on each opening.
    content = _encoded(GREY)
    behind_header = content.index(b"IDAT") - 4
    return content[:behind_header] + _chunk(b"acTL", bytes(8)) + content[behind_header:]


def test_pillow_does_warn_of_the_file_that_the_next_tests_use():
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(io.BytesIO(_warning_png())).load()


@pytest.mark.parametrize("action", ["always", "error"])
def test_pillows_warnings_neither_leak_nor_fail(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        filters = list(warnings.filters)
        np.testing.assert_array_equal(decode_image(_warning_png()), GREY3)
        with pytest.raises(BadCellError):
            decode_image(HTML)
        assert warnings.filters == filters
    assert caught == []


def test_filters_are_as_before_when_blocks_of_other_threads_overlap():
    before = list(warnings.filters)
    content = _warning_png()
    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("always")
        inside = list(warnings.filters)
        for pixels in pool.map(decode_image, [content] * 200):
            np.testing.assert_array_equal(pixels, GREY3)
        assert warnings.filters == inside
    assert caught == []
    assert warnings.filters == before


def test_blocks_that_end_in_the_wrong_order_leave_the_filters_as_they_were():
    before = list(warnings.filters)
    with ExitStack() as first, ExitStack() as second, ExitStack() as foreign:
        first.enter_context(pillow_warnings_ignored())
        second.enter_context(pillow_warnings_ignored())
        foreign.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
        first.close()
        second.close()
        foreign.close()
    assert warnings.filters == before


def test_threads_that_share_cells_decode_the_same_pixels():
    palette = _encoded(Image.fromarray(RGB).quantize(16), transparency=3)
    contents = [palette, _encoded(RGB, "WEBP"), JPEG, _encoded(WORDS16), _encoded(RGB, "TIFF")]
    expected = [decode_image(content) for content in contents]
    for _ in range(5):
        shared = [Image.open(io.BytesIO(content)) for content in contents]
        cells = [*contents, *shared] * 20
        with ThreadPoolExecutor(8) as pool:
            for i, pixels in enumerate(pool.map(decode_image, cells)):
                np.testing.assert_array_equal(pixels, expected[i % 5])


def test_threads_that_share_one_lazily_opened_image_decode_the_same_pixels():
    array = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    content = _encoded(array)
    for _ in range(4):
        shared = Image.open(io.BytesIO(content))
        with ThreadPoolExecutor(8) as pool:
            for pixels in pool.map(decode_image, [shared] * 8):
                np.testing.assert_array_equal(pixels, array)
