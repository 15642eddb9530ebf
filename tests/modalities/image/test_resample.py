"""torch downsamples images to Pillow's result within one grey level."""

import numpy as np
import pytest

from sktransfer.modalities.image import Geometry, decode_image
from sktransfer.modalities.image._geometry import resample
from tests.modalities.image._photos import GEOMETRIES, PHOTOS, photo


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("size", [(640, 427), (260, 300), (1500, 900)])
@pytest.mark.parametrize("which", [0, 1])
def test_torch_downsamples_within_one_grey_level(geometry, size, which):
    image = photo(size, which)
    other = Geometry(geometry.resize, geometry.crop, geometry.interpolation, exact=False)
    found = decode_image(image, other).astype(int)
    expected = decode_image(image, geometry).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert np.mean(found != expected) < 0.2


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_torch_preserves_the_memory_format(interpolation):
    # Another format would be correct too, but takes twice as long here and in later steps.
    resized = resample(np.array(PHOTOS[0]), (120, 160), interpolation)
    assert resized.shape == (120, 160, 3)
    assert resized.flags.c_contiguous


@pytest.mark.parametrize(
    ("cell", "geometry"),
    [
        (np.asarray(PHOTOS[0]) / 255, Geometry(64, (60, 60), exact=False)),
        (PHOTOS[0], Geometry(64, (60, 60), "lanczos", exact=False)),
        (PHOTOS[0].resize((40, 50)), Geometry(64, (60, 60), exact=False)),
        (PHOTOS[0].resize((4, 4000)), Geometry(256, (224, 224), exact=False)),
    ],
    ids=[
        "floats",
        "a filter that torch lacks",
        "an image that is enlarged",
        "a strip of which only the middle is seen",
    ],
)
def test_pillow_resizes_where_torch_cannot(cell, geometry):
    exact = Geometry(geometry.resize, geometry.crop, geometry.interpolation)
    np.testing.assert_array_equal(decode_image(cell, geometry), decode_image(cell, exact))
