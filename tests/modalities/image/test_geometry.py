"""Resizing and cropping equal torchvision's on Pillow images; large JPEG files are decoded at lower resolution."""

import numpy as np
import pytest
from PIL import Image, ImageOps
from torchvision.transforms import CenterCrop as CropV1
from torchvision.transforms import Compose, InterpolationMode
from torchvision.transforms import Resize as ResizeV1
from torchvision.transforms.v2 import CenterCrop, Resize

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import Geometry, _geometry, decode_image
from tests.modalities.image._photos import GEOMETRIES, jpeg, photo

FILTERS = ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]


def _draw(rng, height, width):
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize(("resize", "crop"), [(Resize, CenterCrop), (ResizeV1, CropV1)])
def test_pixels_equal_torchvisions_on_random_sizes(seed, resize, crop):
    rng = np.random.default_rng(seed)
    image = _draw(rng, *rng.integers(1, 90, 2))
    short = int(rng.integers(1, 60))
    pair = tuple(int(n) for n in rng.integers(1, 60, 2))
    size = short if seed % 2 else pair
    window = tuple(int(n) for n in rng.integers(1, 70, 2))
    name = FILTERS[seed % len(FILTERS)]
    theirs = Compose([resize(size, InterpolationMode(name)), crop(window)])
    np.testing.assert_array_equal(
        decode_image(image, Geometry(size, window, name)),
        np.asarray(theirs(Image.fromarray(image))),
    )


@pytest.mark.parametrize(("height", "width"), [(7, 7), (8, 7), (7, 8), (20, 21), (5, 30), (30, 5)])
@pytest.mark.parametrize("window", [(6, 6), (7, 9), (8, 8), (31, 31), (32, 4), (4, 32)])
def test_odd_and_even_crops_and_paddings_equal_torchvisions(height, width, window):
    image = _draw(np.random.default_rng(0), height, width)
    theirs = Compose([Resize(7), CenterCrop(window)])(Image.fromarray(image))
    np.testing.assert_array_equal(decode_image(image, Geometry(7, window)), np.asarray(theirs))


def test_an_image_of_the_right_size_is_not_changed_and_not_shared():
    image = _draw(np.random.default_rng(0), 8, 9)
    pixels = decode_image(image, Geometry((8, 9), (8, 9)))
    np.testing.assert_array_equal(pixels, image)
    assert not np.shares_memory(pixels, image)
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_floats_are_resized_like_bytes(name, channels):
    rng = np.random.default_rng(0)
    # Low contrast: bytes are also clipped between the two passes, where filters overshoot.
    image = rng.integers(100, 156, (40, 33, *channels), dtype=np.uint8)
    geometry = Geometry(20, (24, 16), name)
    floats = decode_image(image / 255, geometry)
    assert floats.dtype == np.float32
    # Pillow rounds bytes after the horizontal pass and again after the vertical one.
    np.testing.assert_allclose(floats * 255, decode_image(image, geometry), atol=1.5)


def test_floats_stay_in_the_unit_interval_when_a_filter_overshoots():
    edge = np.zeros((16, 16), dtype=np.float32)
    edge[:, 8:] = 1
    pixels = decode_image(edge, Geometry(50, (50, 50), "lanczos"))
    assert (pixels.min(), pixels.max()) == (0, 1)


@pytest.mark.parametrize("shape", [(1, 10_000), (10_000, 1), (3, 2_001)])
@pytest.mark.parametrize("crop", [(224, 224), (280, 200)])
def test_a_long_strip_is_resized_only_within_the_crop(shape, crop, monkeypatch):
    rng = np.random.default_rng(0)
    strip = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    seen = decode_image(strip, Geometry(256, crop, "bicubic"))
    assert seen.shape == (*crop, 3)
    small = Geometry(8, (7, 6), "bicubic")
    whole = decode_image(strip, small)
    monkeypatch.setattr(_geometry, "_PIXELS", 0)
    np.testing.assert_allclose(decode_image(strip, small), whole.astype(float), atol=1)


def test_a_strip_that_is_squashed_is_seen_whole(monkeypatch):
    strip = np.random.default_rng(0).integers(0, 256, (1, 10_000, 3), dtype=np.uint8)
    squashed = Geometry((8, 9), (8, 9))
    whole = decode_image(strip, squashed)
    monkeypatch.setattr(_geometry, "_PIXELS", 0)
    np.testing.assert_array_equal(decode_image(strip, squashed), whole)


def test_a_strip_of_floats_is_resized_in_the_same_way():
    strip = np.linspace(0, 1, 10_000, dtype=np.float32)[None]
    seen = decode_image(strip, Geometry(256, (224, 224)))
    np.testing.assert_allclose(seen, 0.5, atol=1e-3)


def test_an_unknown_filter_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"interpolation='cubic' is not known.*'bicubic'"):
        Geometry(8, (8, 8), "cubic")


def test_loading_at_the_original_size_equals_decoding():
    image = _draw(np.random.default_rng(0), 6, 5)
    np.testing.assert_array_equal(
        decode_image(image, Geometry((6, 5), (6, 5))), decode_image(image)
    )


def rotated(tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    return exif


@pytest.fixture
def drafts(monkeypatch):
    """Return the list of the sizes to which JPEG files are decoded."""
    sizes = []
    upright = ImageOps.exif_transpose

    def recorded(image):
        sizes.append(image.size)
        return upright(image)

    monkeypatch.setattr(ImageOps, "exif_transpose", recorded)
    return sizes


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("size", [(1600, 1200), (1200, 1600), (2600, 1800)])
@pytest.mark.parametrize("which", [0, 1])
def test_a_large_jpeg_decoded_at_lower_resolution_looks_the_same(drafts, geometry, size, which):
    content = jpeg(photo(size, which))
    found = decode_image(content, geometry).astype(int)
    assert drafts[-1] < size
    expected = decode_image(decode_image(content), geometry).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 0.004 * 255
    assert np.abs(found - expected).max() <= 16


@pytest.mark.parametrize("size", [(1023, 1400), (640, 427), (50, 3000)])
def test_a_jpeg_that_is_not_large_is_exact(drafts, size):
    content = jpeg(photo(size))
    found = decode_image(content, Geometry(256, (224, 224)))
    assert drafts == [size]
    np.testing.assert_array_equal(
        found, decode_image(decode_image(content), Geometry(256, (224, 224)))
    )


@pytest.mark.parametrize("tag", [1, 3, 6, 8])
def test_what_is_left_is_twice_as_large_as_the_resize_makes_it_however_it_is_turned(drafts, tag):
    content = jpeg(photo((2100, 1500)), exif=rotated(tag))
    geometry = Geometry((120, 360), (120, 360))
    found = decode_image(content, geometry).astype(int)
    assert min(drafts[0]) >= 2 * 360
    assert drafts[0] != (2100, 1500)
    expected = decode_image(decode_image(content), geometry).astype(int)
    assert np.abs(found - expected).mean() < 0.004 * 255


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_files_are_decoded_at_lower_resolution_too(drafts, mode):
    content = jpeg(photo((1600, 1200)).convert(mode))
    found = decode_image(content, GEOMETRIES[0]).astype(int)
    assert drafts[-1] == (800, 600)
    expected = decode_image(decode_image(content), GEOMETRIES[0]).astype(int)
    assert np.abs(found - expected).mean() < 0.004 * 255


def test_the_pixel_limit_applies_to_the_original_size():
    content = jpeg(photo((1600, 1200)))
    with pytest.raises(BadCellError, match="1600x1200"):
        decode_image(content, GEOMETRIES[0], max_pixels=1600 * 1200 - 1)
    assert decode_image(content, GEOMETRIES[0], max_pixels=1600 * 1200).shape == (224, 224, 3)
