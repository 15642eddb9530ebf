"""Every kind of image is decoded to the pixels that it shows."""

import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import decode_image
from tests.modalities.image._bad_images import HTML, JPEG, PNG, encoded, png_chunk, png_file

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
GREY = RGB[..., 0]
GREY3 = np.repeat(GREY[..., None], 3, axis=2)
WORDS16 = np.arange(30, dtype=np.uint16).reshape(6, 5) * 2184


def _grey3(values):
    return np.repeat(np.asarray(values, dtype=np.float32)[..., None], 3, axis=2)


# Good images ------------------------------------------------------------------------------


def test_path_bytes_image_and_array_of_the_same_picture_give_the_same_pixels(tmp_path):
    path = tmp_path / "ünï cödé.png"
    content = encoded(RGB)
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
def test_arrays_become_8_bit_rgb_or_floats(array, expected):
    pixels = decode_image(array)
    np.testing.assert_allclose(pixels, expected, atol=1e-6)
    assert pixels.dtype == expected.dtype
    assert pixels.dtype.isnative


def _on_white(rgba):
    colour, alpha = rgba[..., :3].astype(float), rgba[..., 3:] / 255
    return colour * alpha + 255 * (1 - alpha)


def test_transparency_shows_a_white_background_in_every_format():
    alpha = np.linspace(0, 255, 30).round().astype(np.uint8).reshape(6, 5)
    rgba = np.dstack([RGB, alpha])
    expected = _on_white(rgba)
    for cell in (rgba, Image.fromarray(rgba), encoded(rgba)):
        np.testing.assert_allclose(decode_image(cell), expected, atol=1)
    floats = decode_image(rgba / 255)
    np.testing.assert_allclose(floats * 255, expected, atol=1e-3)
    grey = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)])
    grey_expected = _on_white(np.dstack([GREY3, alpha]))
    for cell in (grey, encoded(grey)):
        np.testing.assert_allclose(decode_image(cell), grey_expected, atol=1)


def test_a_transparent_colour_or_palette_entry_is_white():
    rgb = RGB.copy()
    rgb[0, 0] = 1, 2, 3
    expected = rgb.copy()
    expected[0, 0] = 255
    np.testing.assert_array_equal(decode_image(encoded(rgb, transparency=(1, 2, 3))), expected)
    palette = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), mode="L").convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for options in ({"transparency": 1}, {"transparency": bytes([255, 0, 255])}):
        pixels = decode_image(encoded(palette, **options))
        np.testing.assert_array_equal(pixels, [[[10, 20, 30], [255, 255, 255], [70, 80, 90]]])
    np.testing.assert_array_equal(decode_image(encoded(palette))[0, 1], [40, 50, 60])
    words = encoded(WORDS16, transparency=int(WORDS16[3, 3]))
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
def test_16_bit_grey_is_scaled_and_not_saturated(format):
    pixels = decode_image(encoded(WORDS16, format))
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, _grey3(WORDS16 / 65535), atol=1e-7)
    np.testing.assert_array_equal(pixels, decode_image(WORDS16))
    integers = Image.fromarray(WORDS16.astype(np.int32))
    assert integers.mode == "I"
    np.testing.assert_array_equal(decode_image(integers), pixels)


def test_a_pillow_image_of_floats_may_be_in_the_unit_interval():
    image = Image.fromarray(np.array([[0.25, 0.5]], dtype=np.float32))
    np.testing.assert_array_equal(decode_image(image), _grey3([[0.25, 0.5]]))


def test_16_bit_colours_are_reduced_to_their_upper_byte():
    row = np.array([[0x0102, 0x8001, 0xFFFF]], dtype=">u2")
    pixels = decode_image(png_file(1, 1, b"\0" + row.tobytes(), depth=16))
    np.testing.assert_array_equal(pixels, [[[0x01, 0x80, 0xFF]]])


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_of_few_bits_is_scaled_to_the_full_range(depth):
    most = 2**depth - 1
    pixels = decode_image(png_file(2, 1, bytes([0, (most << (8 - depth)) & 255]), depth, colour=0))
    np.testing.assert_array_equal(pixels, [[[255] * 3, [0] * 3]])


def test_adobe_cmyk_files_are_not_inverted():
    red = Image.new("RGB", (8, 8), (250, 10, 10))
    for format in ("JPEG", "TIFF"):
        content = encoded(red.convert("CMYK"), format)
        assert Image.open(io.BytesIO(content)).mode == "CMYK"
        np.testing.assert_allclose(decode_image(content)[0, 0], [250, 10, 10], atol=6)


def test_premultiplied_alpha_shows_a_white_background():
    for mode, multiplied in (("RGBA", "RGBa"), ("LA", "La")):
        image = Image.new(mode, (2, 2), (100,) * (len(mode) - 1) + (128,))
        expected = decode_image(image).astype(float)
        np.testing.assert_allclose(decode_image(image.convert(multiplied)), expected, atol=2)
        assert 170 < expected[0, 0, 0] < 180


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1)])
def test_an_image_may_be_one_pixel_or_a_line(shape):
    image = np.resize(RGB, (*shape, 3))
    for cell in (image, encoded(image)):
        np.testing.assert_array_equal(decode_image(cell), image)


def test_a_3_by_3_by_3_array_has_its_channels_last():
    ambiguous = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    np.testing.assert_array_equal(decode_image(ambiguous), ambiguous)


TURNED = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: np.rot90,
}  # fmt: skip
EXACTLY = {
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "JPEG": {"quality": 100, "subsampling": 0},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


@pytest.mark.parametrize("format", EXACTLY)
@pytest.mark.parametrize("orientation", TURNED)
def test_exif_rotation_is_applied(orientation, format):
    picture = np.full((16, 32, 3), 200, dtype=np.uint8)
    picture[:8, :8] = 10, 100, 250
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(picture, format, exif=exif, **EXACTLY[format])
    image = Image.open(io.BytesIO(content))
    for cell in (content, image, image):
        np.testing.assert_allclose(decode_image(cell), TURNED[orientation](picture), atol=9)


def test_the_first_frame_of_an_animation_is_used():
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "lime")]
    for format in ("GIF", "PNG", "WEBP"):
        options = {"lossless": True} if format == "WEBP" else {}
        content = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
        assert Image.open(io.BytesIO(content)).n_frames == 2
        assert decode_image(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    "format", ["BMP", "GIF", "TIFF", "PPM", "ICO", "WEBP", "JPEG", "MPO", "JPEG2000", "AVIF"]
)
def test_common_formats_are_decoded(format):
    image = np.full((16, 16, 3), 200, dtype=np.uint8)
    np.testing.assert_allclose(decode_image(encoded(image, format)), image, atol=2)


def test_pixels_are_new_and_writable_and_the_cell_is_not_changed():
    for cell in (RGB, Image.fromarray(RGB), RGB / 255, encoded(RGB)):
        pixels = decode_image(cell)
        assert pixels.flags.writeable
        pixels[:] = 0
        assert decode_image(cell).any()


def test_a_pillow_image_keeps_its_mode_info_and_frame():
    image = Image.open(io.BytesIO(encoded(RGB, "GIF", transparency=3)))
    before = (image.mode, dict(image.info), image.tell(), image.size)
    decode_image(image)
    assert (image.mode, dict(image.info), image.tell(), image.size) == before


def test_damaged_exif_data_is_ignored():
    content = encoded(RGB, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xffgarbage")
    np.testing.assert_array_equal(decode_image(content), RGB)


def test_a_lazily_opened_image_is_decoded_and_one_that_is_closed_is_a_bad_cell(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    image = Image.open(path)
    path.unlink()
    np.testing.assert_array_equal(decode_image(image), decode_image(PNG))
    path.write_bytes(PNG)
    with Image.open(path) as closed:
        pass
    with pytest.raises(BadCellError, match=r"PIL image RGB 32x32>: cannot be decoded.*load\(\)"):
        decode_image(closed)


# Threads and warnings ---------------------------------------------------------------------


def _warning_png():
    # An animation without frames: Pillow warns each time it is opened.
    content = encoded(GREY)
    behind_header = content.index(b"IDAT") - 4
    return content[:behind_header] + png_chunk(b"acTL", bytes(8)) + content[behind_header:]


def test_pillow_warns_about_the_file_that_the_next_tests_use():
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(io.BytesIO(_warning_png())).load()


@pytest.mark.parametrize("action", ["always", "error"])
def test_pillows_warnings_are_neither_shown_nor_raised(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        filters = list(warnings.filters)
        np.testing.assert_array_equal(decode_image(_warning_png()), GREY3)
        with pytest.raises(BadCellError):
            decode_image(HTML)
        assert warnings.filters == filters
    assert caught == []


def test_warning_filters_are_restored_when_blocks_of_threads_overlap():
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


def test_threads_that_share_cells_decode_the_same_pixels():
    palette = encoded(Image.fromarray(RGB).quantize(16), transparency=3)
    contents = [palette, encoded(RGB, "WEBP"), JPEG, encoded(WORDS16), encoded(RGB, "TIFF")]
    expected = [decode_image(content) for content in contents]
    for _ in range(5):
        shared = [Image.open(io.BytesIO(content)) for content in contents]
        cells = [*contents, *shared] * 20
        with ThreadPoolExecutor(8) as pool:
            for i, pixels in enumerate(pool.map(decode_image, cells)):
                np.testing.assert_array_equal(pixels, expected[i % 5])


def test_threads_that_share_one_lazily_opened_image_decode_the_same_pixels():
    array = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    content = encoded(array)
    for _ in range(4):
        shared = Image.open(io.BytesIO(content))
        with ThreadPoolExecutor(8) as pool:
            for pixels in pool.map(decode_image, [shared] * 8):
                np.testing.assert_array_equal(pixels, array)
