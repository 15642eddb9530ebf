"""Arrays of images: stacks and flattened rows in any container; other layouts are refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from sktransfer.columns import as_column
from sktransfer.exceptions import ColumnError
from sktransfer.modalities.image import ImageModality, decode_image

IMAGES = ImageModality()
STACK = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)


@pytest.mark.parametrize(
    "make",
    [
        np.asarray,
        list,
        pd.Series,
        lambda v: pd.DataFrame({"x": list(v)}),
        pl.Series,
        torch.from_numpy,
        lambda v: v.reshape(3, -1),
        lambda v: v.reshape(3, -1).tolist(),
        lambda v: list(v.reshape(3, -1)),
        lambda v: pd.DataFrame(v.reshape(3, -1)),
        lambda v: pl.DataFrame(v.reshape(3, -1)),
        lambda v: v.reshape(3, -1).astype(object),
    ],
)
def test_every_container_of_the_same_images_gives_the_same_pixels(make):
    X = make(list(STACK)) if make is pd.Series else make(STACK)
    column = as_column(X, ImageModality(image_shape=(4, 5, 3)))
    np.testing.assert_array_equal(np.stack([decode_image(cell) for cell in column.cells]), STACK)


def test_a_stack_of_images_is_not_copied():
    assert as_column(STACK, IMAGES).cells is STACK
    flat = STACK.reshape(3, -1)
    cells = as_column(flat, ImageModality(image_shape=(4, 5, 3))).cells
    assert np.shares_memory(cells, STACK)


@pytest.mark.parametrize(
    ("shape", "row_shape"), [((4, 15), (4, 15)), ((4, 5, 3), (4, 5, 3)), ((20, 3, 1), (20, 3, 1))]
)
def test_flattened_rows_get_the_requested_shape(shape, row_shape):
    X = np.arange(120.0).reshape(2, 60)
    column = as_column(X, ImageModality(image_shape=shape))
    assert column.cells[1].shape == row_shape
    assert column.n_features == 60
    assert column.cells[1].ravel().tolist() == X[1].tolist()


def test_flattened_data_frames_are_read_by_row_in_any_memory_order():
    X = np.arange(12).reshape(2, 6)
    for frame in (pd.DataFrame(X), pl.DataFrame(X), np.asfortranarray(X)):
        cells = as_column(frame, ImageModality(image_shape=(2, 3))).cells
        np.testing.assert_array_equal(cells[1], [[6, 7, 8], [9, 10, 11]])


SHAPES = {
    "one grey or flattened": ((28, 30), None, r"image_shape=\(H, W\).*H\*W\*C = 30.*pass \[X\]"),
    "one RGB image": ((28, 30, 3), None, r"looks like one image; pass \[X\].*X\[..., None\]"),
    "one RGBA image": ((28, 30, 4), None, r"looks like one image; pass \[X\]"),
    "channels first": ((2, 3, 8, 9), None, r"channels first; move them.*moveaxis\(X, 1, -1\)"),
    "two channels": ((2, 8, 9, 2), None, r"not a stack of images; pass \(n, H, W\)"),
    "five axes": ((1, 1, 2, 2, 3), None, "not a stack of images"),
    "too few": ((2, 5), (8, 8), r"X has 5 feature\(s\), but image_shape=\(8, 8\).*H\*W\*C = 64"),
    "one feature": ((2, 1), (8, 8), r"X has 1 feature\(s\), but.*H\*W\*C = 64"),
    "flat": ((64,), (8, 8), r"H\*W\*C = 64\. Reshape your data"),
    "shape of 4": ((2, 64), (1, 8, 8, 1), r"image_shape=\(1, 8, 8, 1\) is not \(H, W\)"),
    "shape of 0": ((2, 64), (0, 8), r"image_shape=\(0, 8\) is not \(H, W\)"),
    "shape of a bool": ((2, 64), (True, 64), r"image_shape=\(True, 64\) is not \(H, W\)"),
    "shape of 2 channels": ((2, 64), (4, 8, 2), r"with C one of \(1, 3, 4\)"),
}


@pytest.mark.parametrize(("shape", "image_shape", "match"), SHAPES.values(), ids=SHAPES)
def test_mismatching_shapes_are_refused_with_matching_ones(shape, image_shape, match):
    with pytest.raises(ColumnError, match=match):
        as_column(np.zeros(shape), ImageModality(image_shape=image_shape))


def test_a_stack_of_narrow_grey_images_is_not_read_as_one_image():
    assert len(as_column(np.zeros((10, 4, 4)), IMAGES).cells) == 10


def test_flattened_rows_that_are_not_numbers_are_refused_as_by_scikit_learn():
    with pytest.raises(ColumnError, match="must be numbers: could not convert"):
        as_column(np.full((2, 4), "a", dtype=object), ImageModality(image_shape=(2, 2)))
    with pytest.raises(TypeError, match="must be a string or a real number"):
        as_column(np.full((2, 4), {}, dtype=object), ImageModality(image_shape=(2, 2)))
    with pytest.raises(ColumnError, match="Complex data not supported"):
        as_column(np.zeros((2, 4), complex), ImageModality(image_shape=(2, 2)))


def test_bytes_in_a_fixed_width_array_are_refused_as_images():
    with pytest.raises(ColumnError, match=r"zeros at the end.*dtype=object"):
        as_column(np.array([b"ab\0\0"]), IMAGES)
