"""The faster ways to a network's pixels, beside the plain one."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images
from sktransfer.cells import Geometry, _geometry, decode_image, load_pixels
from sktransfer.extraction._resample import resample

from sktransfer import ImageEmbedder, _runtime
from sktransfer.exceptions import BadCellError

PHOTOS = [Image.fromarray(photo) for photo in load_sample_images().images]
GEOMETRIES = [
    Geometry(256, (224, 224)),
    Geometry(224, (224, 224), "bicubic"),
    Geometry((100, 150), None),
]


def jpeg(image, **options):
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90, **options)
    return content.getvalue()


def photo(size, which=0):
    return PHOTOS[which].resize(size, Image.Resampling.LANCZOS)


def turned(tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    return exif


@pytest.fixture
def drafts(monkeypatch):
    """Note the sizes that decoders of JPEG give."""
    sizes = []
    upright = ImageOps.exif_transpose

    def noted(image):
        sizes.append(image.size)
        return upright(image)

    monkeypatch.setattr(ImageOps, "exif_transpose", noted)
    return sizes


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("size", [(1600, 1200), (1200, 1600), (2600, 1800)])
@pytest.mark.parametrize("which", [0, 1])
def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same(drafts, geometry, size, which):
    content = jpeg(photo(size, which))
    found = load_pixels(content, geometry).astype(int)
    assert drafts[-1] < size
    expected = load_pixels(decode_image(content), geometry).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 0.004 * 255
    assert np.abs(found - expected).max() <= 16


@pytest.mark.parametrize("size", [(1023, 1400), (640, 427), (50, 3000)])
def test_a_jpeg_that_is_not_large_is_exact(drafts, size):
    content = jpeg(photo(size))
    found = load_pixels(content, Geometry(256, (224, 224)))
    assert drafts == [size]
    np.testing.assert_array_equal(
        found, load_pixels(decode_image(content), Geometry(256, (224, 224)))
    )


@pytest.mark.parametrize("tag", [1, 3, 6, 8])
def test_what_is_left_is_twice_as_large_as_the_resize_makes_it_however_it_is_turned(drafts, tag):
    content = jpeg(photo((2100, 1500)), exif=turned(tag))
    geometry = Geometry((120, 360), None)
    found = load_pixels(content, geometry).astype(int)
    assert min(drafts[0]) >= 2 * 360
    assert drafts[0] != (2100, 1500)
    expected = load_pixels(decode_image(content), geometry).astype(int)
    assert np.abs(found - expected).mean() < 0.004 * 255


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_files_are_decoded_smaller_too(drafts, mode):
    content = jpeg(photo((1600, 1200)).convert(mode))
    found = load_pixels(content, GEOMETRIES[0]).astype(int)
    assert drafts[-1] == (800, 600)
    expected = load_pixels(decode_image(content), GEOMETRIES[0]).astype(int)
    assert np.abs(found - expected).mean() < 0.004 * 255


def test_the_limit_of_pixels_is_that_of_the_whole_image():
    content = jpeg(photo((1600, 1200)))
    with pytest.raises(BadCellError, match="1600x1200"):
        load_pixels(content, GEOMETRIES[0], max_pixels=1600 * 1200 - 1)
    assert load_pixels(content, GEOMETRIES[0], max_pixels=1600 * 1200).shape == (224, 224, 3)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("size", [(640, 427), (260, 300), (1500, 900)])
@pytest.mark.parametrize("which", [0, 1])
def test_torch_shrinks_within_one_grey_level(geometry, size, which):
    image = photo(size, which)
    other = Geometry(geometry.resize, geometry.crop, geometry.interpolation, resample=resample)
    found = load_pixels(image, other).astype(int)
    expected = load_pixels(image, geometry).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert np.mean(found != expected) < 0.2


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_torch_gives_pixels_in_the_order_in_which_it_was_given_them(interpolation):
    # Another order would be right too, but takes twice as long here and again afterwards.
    resized = resample(np.array(PHOTOS[0]), (120, 160), interpolation)
    assert resized.shape == (120, 160, 3)
    assert resized.flags.c_contiguous


@pytest.mark.parametrize(
    ("cell", "geometry"),
    [
        (np.asarray(PHOTOS[0]) / 255, Geometry(64, (60, 60), resample=resample)),
        (PHOTOS[0], Geometry(64, (60, 60), "lanczos", resample=resample)),
        (PHOTOS[0].resize((40, 50)), Geometry(64, (60, 60), resample=resample)),
        (PHOTOS[0].resize((4, 4000)), Geometry(256, (224, 224), resample=resample)),
    ],
    ids=[
        "floats",
        "a filter that torch lacks",
        "an image that is enlarged",
        "a strip of which only the middle is seen",
    ],
)
def test_pillow_does_what_torch_cannot(cell, geometry):
    exact = Geometry(geometry.resize, geometry.crop, geometry.interpolation)
    np.testing.assert_array_equal(load_pixels(cell, geometry), load_pixels(cell, exact))


def test_features_of_a_large_jpeg_are_as_near_as_bfloat16_is():
    contents = [jpeg(photo((2000, 1500), which)) for which in (0, 1)]
    found = ImageEmbedder(cache=False).fit_transform(contents)
    expected = ImageEmbedder(cache=False).fit_transform([decode_image(c) for c in contents])
    cosines = (found * expected).sum(1) / np.prod(
        [np.linalg.norm(rows, axis=1) for rows in (found, expected)], axis=0
    )
    assert (cosines > 0.999).all()


@pytest.mark.parametrize(("precision", "exact"), [("float32", True), ("bfloat16", False)])
def test_only_bfloat16_lets_torch_resize(monkeypatch, precision, exact):
    seen = []
    plain = _geometry._resized_by_filter

    def noted(image, size, box, geometry):
        seen.append(geometry.resample is None)
        return plain(image, size, box, geometry)

    monkeypatch.setattr(_geometry, "_resized_by_filter", noted)
    ImageEmbedder(cache=False, precision=precision).fit_transform(PHOTOS[:1])
    assert seen == [exact]


def test_auto_asks_the_device_that_computes(monkeypatch):
    # A GPU computes in bfloat16 and the CPU does not; OpenVINO is for the CPU.
    gpu = torch.device("cuda")
    plain = _runtime.resolve_device
    monkeypatch.setattr(_runtime, "resolve_device", lambda d: gpu if d == "auto" else plain(d))
    monkeypatch.setattr(_runtime, "cpu_has_bfloat16", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **kwargs: True)
    pytest.importorskip("openvino")
    assert ImageEmbedder(engine="openvino", precision="auto")._reader().exact
    assert not ImageEmbedder(precision="auto")._reader().exact


def test_auto_without_such_hardware_is_exact(monkeypatch):
    monkeypatch.setattr("sktransfer._runtime.cpu_has_bfloat16", lambda: False)
    embedder = ImageEmbedder(device="cpu", precision="auto")
    assert embedder._reader().exact
    monkeypatch.setattr("sktransfer._runtime.cpu_has_bfloat16", lambda: True)
    assert not embedder._reader().exact
