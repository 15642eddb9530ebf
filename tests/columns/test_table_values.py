"""Columns of a table: numbers as float64 whatever the library, other cells as they are."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sktransfer.columns import numbers_of, seconds_of, values_of

NAN = np.nan
DATES = [datetime.datetime(1970, 1, 2), None]
PERIODS = [datetime.timedelta(hours=1), None]


@pytest.mark.parametrize(
    ("X", "kind", "numbers"),
    [
        (np.array([1, 2], np.uint8), "number", [1, 2]),
        (np.array([True, False]), "boolean", [1, 0]),
        (np.array([1, 2], np.float16), "number", [1, 2]),
        (np.array([3_600, "NaT"], "m8[s]"), "duration", [3_600, NAN]),
        ([1, None, 2.5], "number", [1, NAN, 2.5]),
        ([True, 2], "number", [1, 2]),
        ([decimal.Decimal("1.5"), float("inf")], "number", [1.5, np.inf]),
        ([10**400, -(10**400)], "number", [np.inf, -np.inf]),
        (PERIODS, "duration", [3_600, NAN]),
        (pd.Series([1, None], dtype="Int64"), "number", [1, NAN]),
        (pd.Series([True, None], dtype="boolean"), "boolean", [1, NAN]),
        (pd.Series([1.5, None], dtype="Float32"), "number", [1.5, NAN]),
        (pd.Series([1.5, None], dtype="float64[pyarrow]"), "number", [1.5, NAN]),
        (pd.Series(PERIODS), "duration", [3_600, NAN]),
        (pd.Series([1, "x"], dtype=object), "mixed", [1, NAN]),
        (pl.Series([1, None]), "number", [1, NAN]),
        (pl.Series([decimal.Decimal("1.50"), None]), "number", [1.5, NAN]),
        (pl.Series(PERIODS), "duration", [3_600, NAN]),
        (pl.Series([True, None]), "boolean", [1, NAN]),
        (pa.chunked_array([[1], [None]]), "number", [1, NAN]),
        (["1e3", " 2.5 ", ""], "string", [1_000, 2.5, NAN]),
    ],
)
def test_numbers_of_any_container_are_float64_and_nan_where_missing(X, kind, numbers):
    values = values_of(X)
    assert values.kind == kind
    np.testing.assert_array_equal(numbers_of(values.cells)[0], np.array(numbers, float))


@pytest.mark.parametrize(
    "X",
    [
        np.array(["1970-01-02", "NaT"], "M8[D]"),
        DATES,
        [datetime.date(1970, 1, 2), None],
        pd.Series(DATES),
        pd.Series(pd.to_datetime(DATES).tz_localize("UTC").tz_convert("Asia/Tokyo")),
        pl.Series(DATES),
        pl.Series([datetime.date(1970, 1, 2), None]),
        pa.chunked_array([DATES]),
        ["1970-01-02", ""],
        ["1970/01/02", None],
        ["1970-01-02T01:00:00+01:00", None],
    ],
)
def test_dates_of_any_container_are_seconds_since_1970(X):
    values = values_of(X)
    assert values.kind in ("date", "string")
    np.testing.assert_array_equal(seconds_of(values.cells)[0], [86_400, NAN])


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (pd.Series(["a", None], dtype="category"), "category"),
        (pd.Series([1, 2], dtype="category"), "category"),
        (pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])), "category"),
        (pl.Series(["a", "b"], dtype=pl.Categorical), "category"),
        (pa.array(["a", None]).dictionary_encode(), "category"),
        (["a", None], "string"),
        (["a", 1], "mixed"),
        (["a", b"a"], "other"),
        ([1j, 2j], "other"),
        ([None, NAN], "other"),
        (pl.Series([[1.0, 2.0]], dtype=pl.Array(pl.Float64, 2)), "other"),
        (pl.Series([[1.0]], dtype=pl.List(pl.Float64)), "other"),
    ],
)
def test_the_kind_of_other_columns(X, kind):
    assert values_of(X).kind == kind


def test_images_in_a_column_of_arrays_of_one_shape_stay_arrays():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    cells = values_of(pl.Series(images, dtype=pl.Array(pl.UInt8, (8, 8, 3)))).cells
    assert cells[0].shape == (8, 8, 3)


def test_cells_that_are_no_numbers_or_dates_are_named_by_row():
    assert numbers_of(["1", "x", None, object()])[1] == [1, 3]
    assert seconds_of(["2020-01-01", "x", 3, None])[1] == [1, 2]
