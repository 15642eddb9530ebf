"""Every container of the same values is the same column; everything else is refused."""

import collections
import pathlib

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from PIL import Image

from sktransfer.cells import Column, as_column, decode_image, digest_images
from sktransfer.exceptions import ColumnError

WORDS = ["b", "a", "c"]
STACK = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)

CONTAINERS = {
    "list": lambda v: v,
    "tuple": tuple,
    "deque": collections.deque,
    "object array": lambda v: np.array(v, dtype=object),
    "str array": np.array,
    "StringDType array": lambda v: np.array(v, dtype=np.dtypes.StringDType()),
    "one-column array": lambda v: np.array(v, dtype=object)[:, None],
    "pandas str": pd.Series,
    "pandas object": lambda v: pd.Series(v, dtype=object),
    "pandas string": lambda v: pd.Series(v, dtype="string"),
    "pandas category": lambda v: pd.Series(v, dtype="category"),
    "pandas array": lambda v: pd.array(v, dtype="string"),
    "pandas index": pd.Index,
    "pandas frame": lambda v: pd.DataFrame({"x": v}),
    "polars": pl.Series,
    "polars object": lambda v: pl.Series(v, dtype=pl.Object),
    "polars category": lambda v: pl.Series(v, dtype=pl.Categorical),
    "polars frame": lambda v: pl.DataFrame({"x": v}),
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("kind", ["image", "text"])
def test_every_container_of_the_same_values_gives_the_same_cells(make, kind):
    column = as_column(make(WORDS), kind=kind)
    assert list(column.cells) == WORDS
    assert len(column.cells) == 3
    assert column.n_features == 1
    assert column.index is None


@pytest.mark.parametrize(
    "make",
    [
        lambda v: v,
        lambda v: np.array(v, dtype=object),
        pd.Series,
        lambda v: pd.DataFrame({"x": v}),
        lambda v: pl.Series(v, dtype=pl.Object),
    ],
)
def test_missing_values_stay_in_their_rows(make):
    assert list(as_column(make(["a", None, "b"]), kind="text").cells)[::2] == ["a", "b"]


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
    column = as_column(X, kind="image", image_shape=(4, 5, 3))
    np.testing.assert_array_equal(np.stack([decode_image(cell) for cell in column.cells]), STACK)


def test_a_list_of_images_of_different_sizes_is_passed_on_as_it_is():
    images = [np.zeros((4, 5, 3)), np.zeros((2, 2)), Image.new("RGB", (3, 3))]
    assert as_column(images, kind="image").cells is images
    objects = np.empty(3, dtype=object)
    objects[:] = images
    assert [a is b for a, b in zip(as_column(objects, kind="image").cells, images, strict=True)]


def test_a_stack_of_images_is_not_copied():
    assert as_column(STACK, kind="image").cells is STACK
    flat = STACK.reshape(3, -1)
    cells = as_column(flat, kind="image", image_shape=(4, 5, 3)).cells
    assert np.shares_memory(cells, STACK)


@pytest.mark.parametrize(
    ("shape", "row_shape"), [((4, 15), (4, 15)), ((4, 5, 3), (4, 5, 3)), ((20, 3, 1), (20, 3, 1))]
)
def test_flattened_rows_get_the_shape_that_was_asked_for(shape, row_shape):
    X = np.arange(120.0).reshape(2, 60)
    column = as_column(X, kind="image", image_shape=shape)
    assert column.cells[1].shape == row_shape
    assert column.n_features == 60
    assert column.cells[1].ravel().tolist() == X[1].tolist()


def test_flattened_frames_are_read_row_by_row_whatever_their_memory_order():
    X = np.arange(12).reshape(2, 6)
    for frame in (pd.DataFrame(X), pl.DataFrame(X), np.asfortranarray(X)):
        cells = as_column(frame, kind="image", image_shape=(2, 3)).cells
        np.testing.assert_array_equal(cells[1], [[6, 7, 8], [9, 10, 11]])


def test_a_column_of_paths_does_not_mind_image_shape():
    assert as_column(["a.png"], kind="image", image_shape=(4, 4)).cells == ["a.png"]


def test_names_come_from_series_and_frames():
    assert as_column(pd.Series(WORDS, name="w"), kind="text").name == "w"
    assert as_column(pl.Series("w", WORDS), kind="text").name == "w"
    assert as_column(pd.Series(WORDS), kind="text").name is None
    assert as_column(pl.Series(WORDS), kind="text").name is None
    for frame in (pd.DataFrame({"w": WORDS}), pl.DataFrame({"w": WORDS})):
        column = as_column(frame, kind="text")
        assert (column.name, column.is_frame) == ("w", True)
    assert as_column(pd.DataFrame({0: WORDS}), kind="text").name == "0"
    assert not as_column(pd.Series(WORDS, name="w"), kind="text").is_frame


def test_a_row_is_named_by_position_and_by_label_where_it_has_one():
    assert as_column(WORDS, kind="text").where(2) == "row 2"
    assert as_column(pd.Series(WORDS), kind="text").where(2) == "row 2"
    labelled = pd.Series(WORDS, index=["k1", "k2", "k3"])
    assert as_column(labelled, kind="text").where(2) == "row 2 (index 'k3')"
    assert as_column(labelled.to_frame("w"), kind="text").where(0) == "row 0 (index 'k1')"
    assert as_column(pd.Series(WORDS)[[2, 0]], kind="text").where(1) == "row 1 (index 0)"
    assert as_column(pd.Series(WORDS)[1:], kind="text").where(0) == "row 0 (index 1)"
    flat = pd.DataFrame(np.zeros((2, 4)), index=["p", "q"])
    assert as_column(flat, kind="image", image_shape=(2, 2)).where(1) == "row 1 (index 'q')"


def test_reading_a_column_does_not_change_it():
    frame = pd.DataFrame({"x": ["a", None]}, index=[5, 6])
    before = frame.copy(deep=True)
    as_column(frame, kind="text")
    pd.testing.assert_frame_equal(frame, before)
    X = STACK.copy()
    digest_images(as_column(X, kind="image").cells)
    np.testing.assert_array_equal(X, STACK)


NO_COLUMNS = {
    "str": ("a.png", r"'a.png' is one cell.*list with one element"),
    "bytes": (b"GIF", "<3 bytes> is one cell.*list with one element"),
    "path": (pathlib.Path("a.png"), "'a.png' is one cell.*list with one element"),
    "PIL": (Image.new("L", (3, 2)), "PIL image L 3x2> is one cell.*list with one element"),
    "None": (None, "None is not a column; pass a list"),
    "int": (3, "3 is not a column; pass a list"),
    "numpy scalar": (np.float64(3), r"3\.0 is not a column; pass a list"),
    "0-d": (np.array(3), "3 is not a column; pass a list"),
    "dict": ({"a": WORDS}, r"a dict is not a column; choose one of its values, e.g. X\['name'\]"),
    "set": ({"a"}, r"a set has no order.*pass sorted\(X\)"),
    "generator": ((w for w in WORDS), r"a generator can be read only once; pass list\(X\)"),
    "map": (map(str, WORDS), r"a map can be read only once; pass list\(X\)"),
    "keys": ({"a": 1}.keys(), "a dict_keys has no order"),
    "values": ({"a": 1}.values(), "a dict_values is not a column; pass a list"),
    "sparse": (scipy.sparse.csr_array(np.eye(3)), "a sparse csr_array .*toarray"),
    "lazy": (pl.LazyFrame({"a": WORDS}), r"a LazyFrame has no values yet; pass X.collect\(\)"),
    "masked": (np.ma.array(WORDS, mask=[0, 1, 0]), "masked array"),
    "complex": (np.zeros(3, complex), "Complex data not supported"),
    "empty list": ([], r"0 sample\(s\) \(shape=\(0,\)\) while a minimum of 1 is required"),
    "empty array": (np.zeros((0, 3)), r"0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1"),
    "empty Series": (pd.Series([], dtype=str), r"0 sample\(s\) \(shape=\(0,\)\) while a minimum"),
    "empty polars": (pl.Series([]), r"0 sample\(s\) \(shape=\(0,\)\) while a minimum"),
    "empty frame": (pd.DataFrame({"a": []}), r"0 sample\(s\) \(shape=\(0, 1\)\) while a minimum"),
    "no features": (np.zeros((5, 0)), r"0 feature\(s\) \(shape=\(5, 0\)\) while a minimum of 1"),
    "object": (object(), "a object is not a column; pass a list"),
}


@pytest.mark.parametrize("kind", ["image", "text"])
@pytest.mark.parametrize(("X", "match"), NO_COLUMNS.values(), ids=NO_COLUMNS)
def test_what_is_no_column_is_refused_with_what_to_do(X, match, kind):
    with pytest.raises(ColumnError, match=match):
        as_column(X, kind=kind)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("kind", ["image", "text"])
def test_two_columns_are_named_and_one_is_asked_for(make, kind):
    with pytest.raises(ColumnError, match=r"2 columns \('a', 'b'\).*X\['a'\].*ColumnTransformer"):
        as_column(make({"a": WORDS, "b": WORDS}), kind=kind)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_two_columns_of_an_array_are_refused(kind):
    with pytest.raises(ColumnError, match=r"2 columns.*X\[:, 0\].*ColumnTransformer"):
        as_column(np.array([["a", "b"]], dtype=object), kind=kind)


NUMBERS = {
    "list": [None, 1.5],
    "array": np.array([np.nan, 1.5]),
    "column": np.array([[np.nan], [1.5]]),
    "pandas": pd.Series([None, 1.5]),
    "frame": pd.DataFrame({"x": [None, 1.5]}),
    "polars": pl.Series([None, 1.5]),
    "object": np.array([None, 1.5], dtype=object),
    "tensor": torch.tensor([float("nan"), 1.5]),
}


@pytest.mark.parametrize("X", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize(("kind", "what"), [("image", "an image"), ("text", "a text")])
def test_a_column_of_numbers_is_refused_at_its_first_number(X, kind, what):
    with pytest.raises(ColumnError, match=rf"row 1 is the number 1\.5, not {what}; choose another"):
        as_column(X, kind=kind)


def test_a_column_of_booleans_is_refused():
    with pytest.raises(ColumnError, match="row 0 is the number True, not a text"):
        as_column(np.array([True, False]), kind="text")


def test_a_column_of_missing_values_is_still_a_column():
    for X in ([None, None], pd.Series([None, None]), np.array([np.nan, np.nan])):
        assert len(as_column(X, kind="text").cells) == 2


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
    "shape of 2 channels": ((2, 64), (4, 8, 2), r"with C one of \(1, 3, 4\)"),
}


@pytest.mark.parametrize(("shape", "image_shape", "match"), SHAPES.values(), ids=SHAPES)
def test_shapes_that_do_not_fit_are_refused_with_those_that_do(shape, image_shape, match):
    with pytest.raises(ColumnError, match=match):
        as_column(np.zeros(shape), kind="image", image_shape=image_shape)


def test_a_stack_of_narrow_grey_images_is_not_taken_for_one_image():
    assert len(as_column(np.zeros((10, 4, 4)), kind="image").cells) == 10


def test_images_are_no_column_of_texts():
    with pytest.raises(ColumnError, match="not a column of texts"):
        as_column(STACK, kind="text")


def test_flattened_rows_that_are_no_numbers_are_refused_as_scikit_learn_does():
    with pytest.raises(ColumnError, match="must be numbers: could not convert"):
        as_column(np.full((2, 4), "a", dtype=object), kind="image", image_shape=(2, 2))
    with pytest.raises(TypeError, match="must be a string or a real number"):
        as_column(np.full((2, 4), {}, dtype=object), kind="image", image_shape=(2, 2))
    with pytest.raises(ColumnError, match="Complex data not supported"):
        as_column(np.zeros((2, 4), complex), kind="image", image_shape=(2, 2))


def test_bytes_in_a_fixed_width_array_are_refused_as_images():
    with pytest.raises(ColumnError, match=r"zeros at the end.*dtype=object"):
        as_column(np.array([b"ab\0\0"]), kind="image")


def test_a_tensor_that_numpy_cannot_read_is_refused():
    with pytest.raises(ColumnError, match=r"cannot be read as a NumPy array.*convert it first"):
        as_column(torch.zeros(2, 4, 4, 3, requires_grad=True), kind="image")


def test_a_column_made_by_hand_names_its_rows():
    assert Column(cells=WORDS).where(1) == "row 1"
