"""Error messages describe any cell on one short line."""

import numpy as np
import pandas as pd
import pytest

from sktransfer.columns import describe, is_missing

DESCRIPTIONS = {
    "None": (None, "None"),
    "str": ("a\nb", r"'a\nb'"),
    "surrogate": ("\ud800", r"'\ud800'"),
    "memoryview": (memoryview(b"abcd"), "<4 bytes>"),
    "array": (np.zeros((2, 3)), "<ndarray of shape (2, 3) and dtype float64>"),
    "scalar": (np.int64(3), "3"),
}


@pytest.mark.parametrize(("cell", "expected"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_cell_is_described_briefly(cell, expected):
    assert describe(cell) == expected


class _Awkward:
    def __repr__(self):
        return "line\n" * 50


class _Broken:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "cell", ["x" * 999, list(range(999)), {"k" * 99: ["v" * 99] * 9}, _Awkward(), _Broken()]
)
def test_a_description_is_one_short_line_whatever_the_cell(cell):
    text = describe(cell)
    assert 0 < len(text) <= 80
    assert text.isprintable()


def test_a_long_path_is_described_by_its_start_and_end():
    text = describe("/folder/" + "x" * 200 + "/name.png")
    assert text.startswith("'/folder/")
    assert text.endswith("/name.png'")


@pytest.mark.parametrize(
    "cell",
    [None, np.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), np.ma.masked, "", " "],
)
def test_missing_cells(cell):
    assert is_missing(cell)


@pytest.mark.parametrize("cell", [0, 0.0, False, "nan", [], np.array([]), b""])
def test_cells_that_are_not_missing(cell):
    assert not is_missing(cell)
