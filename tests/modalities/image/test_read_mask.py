"""Masks from every kind of cell, with the values that they have there."""

import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import read_mask

MASK = np.random.default_rng(0).integers(0, 4, (5, 7), dtype=np.uint8)


def encoded(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def palette():
    image = Image.fromarray(MASK, "P")
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9])
    return image


GOOD = {
    "uint8": MASK,
    "int64": MASK.astype(np.int64),
    "whole floats": MASK.astype(np.float32),
    "one channel": MASK[:, :, None],
    "one channel first": MASK[None],
    "grey": Image.fromarray(MASK),
    "palette": palette(),
    "16 bits": Image.fromarray(MASK.astype(np.uint16)),
    "png": encoded(Image.fromarray(MASK)),
    "png with a palette": encoded(palette()),
    "tiff": encoded(Image.fromarray(MASK), "TIFF"),
    "dict": {"bytes": encoded(Image.fromarray(MASK)), "path": None},
}


@pytest.mark.parametrize("name", GOOD)
def test_values_are_those_of_the_cell(name):
    np.testing.assert_array_equal(read_mask(GOOD[name]), MASK)


def test_bool_stays_bool():
    assert read_mask(MASK > 1).dtype == bool
    assert read_mask(Image.fromarray(MASK > 1)).dtype == bool


def test_a_path_is_read(tmp_path):
    palette().save(tmp_path / "mask.png")
    for path in (tmp_path / "mask.png", str(tmp_path / "mask.png")):
        np.testing.assert_array_equal(read_mask(path), MASK)


BAD = {
    "missing": (None, "the mask is missing"),
    "jpeg": (encoded(Image.fromarray(MASK), "JPEG"), "JPEG file may have lost its values"),
    "colours": (encoded(Image.new("RGB", (7, 5))), "mode RGB has colours"),
    "alpha": (Image.new("LA", (7, 5)), "mode LA has colours"),
    "one-hot": (np.zeros((5, 7, 4), dtype=np.uint8), "numpy.argmax"),
    "vector": (np.zeros(7), r"the shape \(H, W\)"),
    "empty": (np.zeros((0, 7)), r"the shape \(H, W\)"),
    "infinite": (np.full((5, 7), np.inf), "inf is no class number"),
    "damaged": (encoded(Image.fromarray(MASK))[:40], "cannot be decoded as a mask"),
    "text": ("no such mask.png", "no such mask.png.: no such file"),
    "masked": (np.ma.MaskedArray(MASK, mask=MASK > 1), "mask of a masked array"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_cells_are_refused(name):
    cell, message = BAD[name]
    with pytest.raises(BadCellError, match=message):
        read_mask(cell)


def test_a_path_that_is_no_file_is_refused():
    with pytest.raises(BadCellError):
        read_mask(pathlib.Path("no such file.png"))
