"""The size of an image is that of its decoded pixels, and mostly read without decoding them."""

import io

import numpy as np
import pytest
from PIL import Image

from sktransfer.modalities.image import decode_image
from sktransfer.modalities.image._image_shapes import shape_of_image

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def turned(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, form, exif=exif)
    return file.getvalue()


CELLS = {
    "array": PIXELS,
    "grey array": PIXELS[:, :, 0],
    "PIL": Image.fromarray(PIXELS),
    "turned PIL": Image.open(io.BytesIO(turned(6, "JPEG"))),
    **{f"JPEG turned by {n}": turned(n, "JPEG") for n in range(1, 9)},
    "PNG turned": turned(8, "PNG"),
}


@pytest.mark.parametrize("name", CELLS)
def test_the_shape_is_that_of_the_decoded_pixels(name):
    assert shape_of_image(CELLS[name], None) == decode_image(CELLS[name]).shape[:2]


@pytest.mark.parametrize("cell", [None, "no such file", b"not an image", np.zeros(3), 5])
def test_a_cell_that_is_no_image_has_no_shape(cell):
    assert shape_of_image(cell, None) is None


def test_too_many_pixels_have_no_shape():
    assert shape_of_image(CELLS["PIL"], 10) is None or decode_image(CELLS["PIL"]) is not None
    assert shape_of_image(turned(1, "PNG"), 10) is None
