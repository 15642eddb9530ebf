"""All containers of the same values give the same column; other inputs are refused."""

import collections
import pathlib
import sys

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from PIL import Image

from sktransfer.columns import as_column
from sktransfer.exceptions import ColumnError
from sktransfer.modalities.image import ImageModality
from sktransfer.modalities.text import TextModality
from tests.modalities._memos import NoMemo

IMAGES, TEXTS = ImageModality(), TextModality()
BOTH = pytest.mark.parametrize("modality", [IMAGES, TEXTS], ids=["image", "text"])
WORDS = ["b", "a", "c"]
STACK = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)


class Exported:
    """A table or column of an unknown library that exports itself by one protocol."""

    def __init__(self, value, protocol):
        self.value = value
        setattr(type(self), protocol, lambda _, *args, **kw: getattr(value, protocol)(*args, **kw))


def exported(make, protocol):
    return lambda v: type("Unknown", (Exported,), {})(make(v), protocol)


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
    "arrow table": lambda v: pa.table({"x": v}),
    "arrow batch": lambda v: pa.record_batch({"x": v}),
    "arrow array": pa.array,
    "arrow chunks": lambda v: pa.chunked_array([v[:1], v[1:]]),
    "arrow dictionary": lambda v: pa.array(v).dictionary_encode(),
    "narwhals frame": lambda v: nw.from_native(pl.DataFrame({"x": v})),
    "narwhals series": lambda v: nw.from_native(pd.Series(v), series_only=True),
    "stream of a table": exported(lambda v: pa.table({"x": v}), "__arrow_c_stream__"),
    "stream of a column": exported(pl.Series, "__arrow_c_stream__"),
    "exported batch": exported(lambda v: pa.record_batch({"x": v}), "__arrow_c_array__"),
    "exported array": exported(pa.array, "__arrow_c_array__"),
    "interchange frame": exported(lambda v: pa.table({"x": v}), "__dataframe__"),
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
@BOTH
def test_every_container_of_the_same_values_gives_the_same_cells(make, modality):
    column = as_column(make(WORDS), modality)
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
        pa.array,
        lambda v: pa.table({"x": v}),
    ],
)
def test_missing_values_stay_in_their_rows(make):
    assert list(as_column(make(["a", None, "b"]), TEXTS).cells)[::2] == ["a", "b"]


def test_a_list_of_images_of_different_sizes_is_not_changed():
    images = [np.zeros((4, 5, 3)), np.zeros((2, 2)), Image.new("RGB", (3, 3))]
    assert as_column(images, IMAGES).cells is images
    objects = np.empty(3, dtype=object)
    objects[:] = images
    assert [a is b for a, b in zip(as_column(objects, IMAGES).cells, images, strict=True)]


def test_a_column_of_paths_ignores_image_shape():
    assert as_column(["a.png"], ImageModality(image_shape=(4, 4))).cells == ["a.png"]


def test_names_come_from_series_and_frames():
    assert as_column(pd.Series(WORDS, name="w"), TEXTS).name == "w"
    assert as_column(pl.Series("w", WORDS), TEXTS).name == "w"
    assert as_column(pd.Series(WORDS), TEXTS).name is None
    assert as_column(pl.Series(WORDS), TEXTS).name is None
    for frame in (pd.DataFrame({"w": WORDS}), pl.DataFrame({"w": WORDS}), pa.table({"w": WORDS})):
        column = as_column(frame, TEXTS)
        assert (column.name, column.is_frame) == ("w", True)
    assert as_column(pd.DataFrame({0: WORDS}), TEXTS).name == "0"
    assert not as_column(pd.Series(WORDS, name="w"), TEXTS).is_frame


def test_a_table_of_arrow_is_a_frame():
    arrow = pytest.importorskip("pyarrow")
    for table in (arrow.table({"w": WORDS}), arrow.record_batch({"w": WORDS})):
        column = as_column(table, TEXTS)
        assert (list(column.cells), column.name, column.is_frame) == (WORDS, "w", True)
    cells = [{"bytes": b"a", "path": None}, {"bytes": None, "path": "b"}]
    assert as_column(arrow.table({"image": cells}), IMAGES).cells == cells
    with pytest.raises(ColumnError, match=r"X has 2 columns \('v', 'w'\)"):
        as_column(arrow.table({"v": WORDS, "w": WORDS}), TEXTS)
    flat = arrow.table({"0": [1, 2], "1": [3, 4]})
    assert np.array(as_column(flat, ImageModality(image_shape=(1, 2))).cells).shape == (2, 1, 2)


def test_a_row_is_named_by_position_and_by_its_label_if_it_has_one():
    assert as_column(WORDS, TEXTS).where(2) == "row 2"
    assert as_column(pd.Series(WORDS), TEXTS).where(2) == "row 2"
    labelled = pd.Series(WORDS, index=["k1", "k2", "k3"])
    assert as_column(labelled, TEXTS).where(2) == "row 2 (index 'k3')"
    assert as_column(labelled.to_frame("w"), TEXTS).where(0) == "row 0 (index 'k1')"
    assert as_column(pd.Series(WORDS)[[2, 0]], TEXTS).where(1) == "row 1 (index 0)"
    assert as_column(pd.Series(WORDS)[1:], TEXTS).where(0) == "row 0 (index 1)"
    by_narwhals = nw.from_native(labelled.to_frame("w"))
    assert as_column(by_narwhals, TEXTS).where(0) == "row 0 (index 'k1')"
    flat = pd.DataFrame(np.zeros((2, 4)), index=["p", "q"])
    assert as_column(flat, ImageModality(image_shape=(2, 2))).where(1) == "row 1 (index 'q')"


def test_reading_a_column_does_not_change_it():
    frame = pd.DataFrame({"x": ["a", None]}, index=[5, 6])
    before = frame.copy(deep=True)
    as_column(frame, TEXTS)
    pd.testing.assert_frame_equal(frame, before)
    X = STACK.copy()
    IMAGES.digest(as_column(X, IMAGES).cells, NoMemo())
    np.testing.assert_array_equal(X, STACK)


class Pairs(torch.utils.data.Dataset):
    """As the data sets of torchvision."""

    def __len__(self):
        return 3

    def __getitem__(self, number):
        return WORDS[number], 0


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter([("a", 0)])


class Folder(Pairs):
    """As ImageFolder."""

    samples = (("a.png", 0), ("b.png", 1))


class HubDataset:
    """As `datasets.Dataset`."""

    features = column_names = ("text", "label")

    def __len__(self):
        return 3


class HubStream:
    """As `datasets.IterableDataset`."""

    features = column_names = ("text", "label")


PAIRS = r"X\[i\]\[0\] for i in range\(len\(X\)\)\] if its items are pairs"
NO_COLUMNS = {
    "ImageFolder": (Folder(), r"pass \[path for path, \*_ in X\.samples\]$"),
    "torch data set": (Pairs(), PAIRS),
    "part of a data set": (torch.utils.data.Subset(Folder(), [0]), PAIRS),
    "tensors": (torch.utils.data.TensorDataset(torch.zeros(3, 1)), PAIRS),
    "stream": (Stream(), r"pass \[cell for cell, \*_ in X\] if its items are pairs"),
    "loader": (torch.utils.data.DataLoader(Folder()), r"path, \*_ in X\.dataset\.samples\]$"),
    "hub data set": (HubDataset(), r"one of its columns 'text', 'label', e\.g\. X\['text'\]$"),
    "hub stream": (HubStream(), r"e\.g\. \[row\['text'\] for row in X\]$"),
    "narwhals lazy": (nw.from_native(pl.LazyFrame({"a": WORDS})), r"pass X.collect\(\)"),
    "names": (
        pd.DataFrame([list("abcd")], columns=list("wwvv")),
        r"columns of the same name \('w' 2 times, 'v' 2 times\); rename",
    ),
    "arrow": (pa.table({"x": pa.array([], pa.string())}), r"0 sample\(s\) \(shape=\(0, 1\)\)"),
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


@BOTH
@pytest.mark.parametrize(("X", "match"), NO_COLUMNS.values(), ids=NO_COLUMNS)
def test_inputs_other_than_a_column_are_refused_with_advice(X, match, modality):
    with pytest.raises(ColumnError, match=match):
        as_column(X, modality)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
@BOTH
def test_two_columns_are_refused_by_name(make, modality):
    with pytest.raises(ColumnError, match=r"2 columns \('a', 'b'\).*X\['a'\].*ColumnTransformer"):
        as_column(make({"a": WORDS, "b": WORDS}), modality)


@BOTH
def test_two_columns_of_an_array_are_refused(modality):
    with pytest.raises(ColumnError, match=r"2 columns.*X\[:, 0\].*ColumnTransformer"):
        as_column(np.array([["a", "b"]], dtype=object), modality)


NUMBERS = {
    "list": [None, 1.5],
    "array": np.array([np.nan, 1.5]),
    "column": np.array([[np.nan], [1.5]]),
    "pandas": pd.Series([None, 1.5]),
    "frame": pd.DataFrame({"x": [None, 1.5]}),
    "polars": pl.Series([None, 1.5]),
    "arrow": pa.table({"x": [None, 1.5]}),
    "object": np.array([None, 1.5], dtype=object),
    "tensor": torch.tensor([float("nan"), 1.5]),
}


@pytest.mark.parametrize("X", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize(("modality", "what"), [(IMAGES, "an image"), (TEXTS, "a text")])
def test_a_column_of_numbers_is_refused_at_its_first_number(X, modality, what):
    with pytest.raises(ColumnError, match=rf"row 1 is the number 1\.5, not {what}; choose another"):
        as_column(X, modality)


def test_a_column_of_booleans_is_refused():
    with pytest.raises(ColumnError, match="row 0 is the number True, not a text"):
        as_column(np.array([True, False]), TEXTS)


def test_a_column_of_missing_values_is_still_a_column():
    for X in ([None, None], pd.Series([None, None]), np.array([np.nan, np.nan])):
        assert len(as_column(X, TEXTS).cells) == 2


def test_images_are_refused_as_texts():
    with pytest.raises(ColumnError, match="not a column of texts"):
        as_column(STACK, TEXTS)


def test_a_tensor_that_numpy_cannot_read_is_refused():
    with pytest.raises(ColumnError, match=r"cannot be read as a NumPy array.*convert it first"):
        as_column(torch.zeros(2, 4, 4, 3, requires_grad=True), IMAGES)


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: pl.Series(rows, dtype=pl.Array(pl.UInt8, 12)),
        lambda rows: pa.array(rows, pa.list_(pa.uint8(), 12)),
        lambda rows: pa.table({"x": pa.array(rows, pa.list_(pa.uint8(), 12))}),
    ],
    ids=["polars", "arrow array", "arrow table"],
)
def test_lists_of_one_size_are_flattened_images(make):
    rows = STACK[:, :2, :2].reshape(3, 12)
    column = as_column(make(rows.tolist()), ImageModality(image_shape=(2, 2, 3)))
    assert column.n_features == 12
    np.testing.assert_array_equal(np.stack(column.cells).reshape(3, 12), rows)


@pytest.mark.parametrize(
    "make",
    [
        lambda rows, shape: pl.Series(rows, dtype=pl.Array(pl.UInt8, shape)),
        lambda rows, shape: pa.array(rows, nested(shape)),
        lambda rows, shape: pd.Series(
            pa.array(rows, nested(shape)), dtype=pd.ArrowDtype(nested(shape))
        ),
    ],
    ids=["polars", "arrow", "pandas"],
)
def test_nested_lists_of_fixed_sizes_are_images(make):
    images = STACK[:, :5, :4]
    column = as_column(make(images.tolist(), images.shape[1:]), IMAGES)
    np.testing.assert_array_equal(np.stack(column.cells), images)


def nested(shape):
    """Return the type of lists of fixed sizes."""
    return pa.list_(nested(shape[1:]), shape[0]) if shape else pa.uint8()


def test_structs_of_arrow_are_cells_and_no_columns():
    rows = [{"bytes": b"1", "path": None}, {"bytes": b"2", "path": "b.png"}]
    for X in (pa.array(rows), pa.chunked_array([rows]), pl.Series(rows), pa.table({"x": rows})):
        assert as_column(X, IMAGES).cells == rows


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: pl.Series(rows, dtype=pl.Array(pl.UInt8, 12)),
        lambda rows: pa.array(rows, pa.list_(pa.uint8(), 12)),
    ],
    ids=["polars", "arrow"],
)
def test_a_null_among_lists_of_one_size_is_a_missing_cell(make):
    rows = STACK[:, :2, :2].reshape(3, 12).tolist()
    column = as_column(make([rows[0], None, rows[2]]), ImageModality(image_shape=(2, 2, 3)))
    assert column.n_features == 12
    assert column.cells[1] is None
    np.testing.assert_array_equal(column.cells[2], STACK[2, :2, :2])
    assert as_column(make([None, None]), IMAGES).cells == [None, None]


TENSORS = {
    "array": lambda tensors: tensors,
    "chunks": lambda tensors: pa.chunked_array([tensors[:1], tensors[1:]]),
    "table": lambda tensors: pa.table({"x": tensors}),
    "pandas": lambda t: pa.table({"x": t}).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda tensors: pl.from_arrow(pa.table({"x": tensors})),
    "stream": exported(lambda tensors: pa.table({"x": tensors}), "__arrow_c_stream__"),
}


@pytest.mark.parametrize("make", TENSORS.values(), ids=TENSORS)
def test_tensors_of_arrow_keep_their_shape(make):
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(STACK)
    np.testing.assert_array_equal(as_column(make(tensors), IMAGES).cells, STACK)
    values = [STACK[0].ravel().tolist(), None]
    some = pa.array(values, tensors.type.storage_type)
    cells = as_column(make(pa.ExtensionArray.from_storage(tensors.type, some)), IMAGES).cells
    np.testing.assert_array_equal(cells[0], STACK[0])
    assert cells[1] is None


def test_tensors_of_arrow_with_permuted_axes_are_refused():
    permuted = pa.fixed_shape_tensor(pa.uint8(), [3, 4, 5], permutation=[1, 2, 0])
    storage = pa.array(STACK.reshape(3, 60).tolist(), permuted.storage_type)
    with pytest.raises(ColumnError, match=r"axes are permuted .*shape=\[3,4,5\]"):
        as_column(pa.ExtensionArray.from_storage(permuted, storage), IMAGES)


@pytest.mark.parametrize("protocol", ["__dataframe__", "__arrow_c_stream__", "__arrow_c_array__"])
@pytest.mark.parametrize("error", [RuntimeError("is closed"), NotImplementedError("is closed")])
def test_a_container_that_fails_to_export_itself_is_an_error_with_its_own(protocol, error):
    def export(*args, **options):
        raise error

    with pytest.raises(ColumnError, match=r"a Odd fails to export .*is closed\)") as caught:
        as_column(type("Odd", (), {protocol: export})(), TEXTS)
    assert caught.value.__cause__ is error


def test_lazy_columns_of_hub_data_sets_are_used_as_they_are():
    class HubColumn(collections.abc.Sequence):
        """As `datasets.Column`, which decodes a cell each time it is read."""

        def __len__(self):
            return 3

        def __getitem__(self, number):
            return Image.fromarray(STACK[number])

    column = as_column(HubColumn(), IMAGES)
    assert isinstance(column.cells, HubColumn)


def test_an_arrow_column_is_an_error_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    stream = exported(pl.Series, "__arrow_c_stream__")(WORDS)
    with pytest.raises(ColumnError, match="read through pyarrow, which is not installed"):
        as_column(stream, TEXTS)
