"""Windows of images, covered and drawn."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from sktransfer.modalities.image import ImageModality, ImageRecipe
from sktransfer.modalities.image._image_parts import ImageParts, shrunk
from sktransfer.modalities.image._window import Window
from tests._tiny import images

RECIPE = ImageRecipe(size=(16, 16), resize=16)


@pytest.mark.parametrize("most", [1, 2, 5, 16, 64, 500])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3), (30, 30), (20, 300)])
def test_windows_cover_every_pixel_and_are_not_too_many(shape, most):
    parts = ImageParts(np.zeros((*shape, 3), np.uint8), shape)
    windows = parts.split(parts.whole, most)
    covered = np.zeros(shape, dtype=bool)
    for top, bottom, left, right in windows:
        assert top < bottom
        assert left < right
        covered[top:bottom, left:right] = True
    assert covered.all()
    assert 1 <= len(windows) <= min(most, 36)
    assert parts.split(windows[0], 4) == [] or windows[0] == parts.whole


@pytest.mark.parametrize(
    "pixels",
    [
        images(1)[0],
        images(1)[0, ..., 0],
        images(1)[0, ..., :1],
        images(1)[0].astype(np.float64) / 255,
        images(1)[0, ..., 0].astype(np.uint16) * 257,
        images(1)[0, ..., 0] > 127,
        images(1)[0].astype(np.int64),
    ],
    ids=lambda pixels: f"{pixels.dtype}{pixels.shape}",
)
def test_arrays_keep_their_form(pixels):
    before = pixels.copy()
    parts = ImageModality().parts(pixels, RECIPE)
    assert parts.keeps_form
    covered = parts.without((0, 8, 0, 16))
    assert (covered.dtype, covered.shape) == (pixels.dtype, pixels.shape)
    np.testing.assert_array_equal(covered[8:], pixels[8:])
    mean = pixels.mean(axis=(0, 1))
    np.testing.assert_allclose(covered[0, 0], mean if pixels.dtype.kind == "f" else np.round(mean))
    np.testing.assert_array_equal(pixels, before)
    ImageModality().decode(covered)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16", "1"])
def test_other_cells_become_pixels_as_the_network_sees_them(mode, tmp_path):
    image = Image.fromarray(images(1)[0]).convert("L" if mode == "I;16" else mode)
    image = image.convert(mode)
    image.save(tmp_path / "a.png")
    modality = ImageModality()
    for cell in (image, tmp_path / "a.png", (tmp_path / "a.png").read_bytes()):
        whole = modality.parts(cell, RECIPE).without(None)
        np.testing.assert_array_equal(modality.decode(whole), modality.decode(cell))


def test_a_window_of_grey_values_is_applied_to_copies_too(tmp_path):
    modality = ImageModality(window=Window(20_000, 10_000))
    grey = images(1)[0, ..., 0].astype(np.uint16) * 200
    Image.fromarray(grey).save(tmp_path / "a.png")
    cell = str(tmp_path / "a.png")
    whole = modality.parts(cell, RECIPE).without(None)
    np.testing.assert_allclose(modality.decode(whole), modality.decode(cell), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_large_images_are_shrunk_to_means(dtype):
    pixels = np.zeros((130, 200, 3), dtype=dtype)
    pixels[:, ::2] = 100 if dtype == np.uint8 else 0.5
    small = shrunk(pixels, (16, 16))
    assert (small.shape, small.dtype) == ((32, 50, 3), dtype)
    np.testing.assert_allclose(small, 50 if dtype == np.uint8 else 0.25)
    assert shrunk(small, (16, 16)) is small


def test_the_heat_map_has_the_size_of_the_image():
    parts = ImageParts(images(1)[0], (33, 50))
    found = parts.weighted([(0, 8, 0, 16), (8, 16, 0, 16)], [1.0, -2.0])
    heat = np.asarray(found)
    assert (heat.shape, heat.dtype) == ((33, 50), np.float32)
    assert np.unique(heat[:16]).tolist() == [1]
    assert np.unique(heat[18:]).tolist() == [-2]
    assert found.largest == 2
    assert found.describe() == "top centre +1.000"
    assert np.asarray(found, dtype=float).dtype == float


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.uint16, bool])
@pytest.mark.parametrize("shape", [(12, 9), (12, 9, 3), (1, 1), (12, 9, 1)])
def test_any_image_is_drawn(dtype, shape):
    pixels = np.random.default_rng(0).random(shape).astype(dtype)
    found = ImageParts(pixels, shape[:2]).weighted([(0, 1, 0, 1)], [1.0])
    painted = found.painted(1.0)
    assert (painted.shape, painted.dtype) == ((*shape[:2], 3), np.uint8)
    red, blue = int(painted[0, 0, 0]), int(painted[0, 0, 2])
    assert red > blue
    figure, ax = plt.subplots()
    found.draw(ax, 1.0)
    plt.close(figure)
    html = found.to_html(1.0)
    assert html.count("data:image/png;base64,") == 2
    content = base64.b64decode(html.split("base64,")[1].split('"')[0])
    assert max(Image.open(io.BytesIO(content)).size) == 320
