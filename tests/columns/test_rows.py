"""Rows of any container, with other cells."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sktransfer.columns import rows_of
from sktransfer.exceptions import ColumnError


def frames():
    data = {"a": [1, 2, 3], "b": ["x", "y", "z"]}
    return {
        "pandas": pd.DataFrame(data, index=[9, 5, 7]),
        "polars": pl.DataFrame(data),
        "arrow": pa.table(data),
        "matrix": np.array([[1, "x"], [2, "y"], [3, "z"]], dtype=object),
        "strings": np.array([["1", "x"], ["2", "y"], ["3", "z"]]),
    }


@pytest.mark.parametrize("name", frames())
def test_a_table_is_copied_with_other_cells(name):
    X = frames()[name]
    rows = rows_of(X)
    found = rows.take([0, 2, 2], {1: {0: "a longer text"}, 0: {}})
    assert type(found) is type(X)
    assert list(rows_of(found).cells(1)) == ["a longer text", "z", "z"]
    assert list(rows.cells(1)) == ["x", "y", "z"]
    assert (len(rows), len(rows.names)) == (3, 2)


def test_types_of_columns_stay_where_they_can_hold_the_cells():
    X = pd.DataFrame({"kind": pd.Categorical(["a", "b"]), "n": [1, 2], "flag": [True, False]})
    same = rows_of(X).take([0, 1], {0: {0: "b"}, 1: {0: 2}, 2: {0: False}})
    assert (same.dtypes == X.dtypes).all()
    assert same["kind"].tolist() == ["b", "b"]
    other = rows_of(X).take([0, 1], {1: {0: 2.5}})
    assert other["n"].tolist() == [2.5, 2]


def test_numbers_of_a_matrix_stay_numbers():
    X = np.arange(6).reshape(3, 2)
    found = rows_of(X).take([0, 1], {1: {0: 7}})
    assert found.tolist() == [[0, 7], [2, 3]]
    assert rows_of(X).take([0], {1: {0: 2.5}}).tolist() == [[0, 2.5]]
    assert rows_of(X).take([0], {1: {0: None}}).dtype.kind in "Of"


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_cells_of_a_frame_may_become_arrays(make):
    X = make({"path": ["a", "b"], "n": [1, 2]})
    array = np.zeros((2, 3, 3), dtype=np.uint8)
    found = rows_of(rows_of(X).take([0, 0], {0: {1: array}})).cells(0)
    assert found[0] == "a"
    np.testing.assert_array_equal(found[1], array)


def test_cells_of_an_arrow_table_may_not():
    with pytest.raises(ColumnError, match="frame of pandas or polars"):
        rows_of(pa.table({"a": ["x"]})).take([0], {0: {0: np.zeros((2, 2))}})


def test_a_stack_stays_one_until_a_cell_has_another_form():
    X = np.zeros((3, 4, 4, 3), dtype=np.uint8)
    assert rows_of(X).take([0, 0], {}).shape == (2, 4, 4, 3)
    assert isinstance(rows_of(X).take([0, 0], {0: {0: X[0, :2]}}), list)
