"""Texts are strings; what is missing or no text is named with what to do."""

import decimal
import re

import numpy as np
import pandas as pd
import pytest

from sktransfer.cells import as_column, read_texts
from sktransfer.cells._cell import describe
from sktransfer.exceptions import BadCellError

MISSING = {
    "None": None,
    "nan": float("nan"),
    "float32 nan": np.float32("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "empty": "",
    "blank": " \t\n\u3000",
}


def test_strings_come_back_unchanged_and_plain():
    texts = ["a", " padded ", "naïve 日本語 👩‍👩‍👧", "nul\0in it", np.str_("numpy")]
    got = list(read_texts(texts, "raise"))
    assert got == texts
    assert {type(text) for text in got} == {str}


@pytest.mark.parametrize("cell", MISSING.values(), ids=MISSING)
def test_a_missing_text_is_an_error_that_names_ways_out(cell):
    text, error = read_texts(["a", cell], "raise")
    assert text == "a"
    assert isinstance(error, BadCellError)
    assert re.search(r"missing='nan'.*missing='empty'", str(error))


@pytest.mark.parametrize(("missing", "instead"), [("nan", None), ("empty", "")])
def test_missing_texts_are_left_out_or_empty(missing, instead):
    cells = ["a", *MISSING.values(), "b"]
    assert list(read_texts(cells, missing)) == ["a", *[instead] * len(MISSING), "b"]


NO_TEXTS = {
    "bytes": (b"abc", r"<3 bytes>: bytes are not text; decode.*column.str.decode\('utf-8'\)"),
    "bytearray": (bytearray(b"abc"), "<3 bytes>: bytes are not text"),
    "int": (3, "3: a value of type int is not text; pass one string a row"),
    "float": (0.5, "a value of type float is not text"),
    "bool": (True, "a value of type bool is not text"),
    "decimal": (decimal.Decimal(1), "a value of type Decimal is not text"),
    "list": (["a", "b"], r"\['a', 'b'\]: a value of type list is not text"),
    "tuple": (("a", "b"), "a value of type tuple is not text"),
    "dict": ({"a": 1}, "a value of type dict is not text"),
    "array": (np.array(["a"]), r"<ndarray of shape \(1,\).*type ndarray is not text"),
    "surrogate": ("ab\ud800c", r"U\+D800 at position 2 is no character; remove it"),
}


@pytest.mark.parametrize(("cell", "match"), NO_TEXTS.values(), ids=NO_TEXTS)
@pytest.mark.parametrize("missing", ["raise", "nan", "empty"])
def test_what_is_no_text_is_an_error_that_names_what_to_do(cell, match, missing):
    column = as_column(pd.Series(["a", "b", cell], dtype=object), kind="text")
    *_, error = read_texts(column.cells, missing)
    assert isinstance(error, BadCellError)
    assert re.search(match, str(error))


@pytest.mark.parametrize(("missing", "expected"), [("nan", None), ("empty", "")])
def test_one_bad_text_does_not_stop_the_reading_of_the_others(missing, expected):
    first, second, third, fourth = read_texts(["a", 3, None, "b"], missing)
    assert (first, third, fourth) == ("a", expected, "b")
    assert isinstance(second, BadCellError)


DESCRIPTIONS = {
    "None": (None, "None"),
    "str": ("a\nb", r"'a\nb'"),
    "surrogate": ("\ud800", r"'\ud800'"),
    "memoryview": (memoryview(b"abcd"), "<4 bytes>"),
    "array": (np.zeros((2, 3)), "<ndarray of shape (2, 3) and dtype float64>"),
    "scalar": (np.int64(3), "3"),
}


@pytest.mark.parametrize(("cell", "expected"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_cell_is_described_in_few_words(cell, expected):
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


def test_a_long_path_is_described_by_both_of_its_ends():
    text = describe("/folder/" + "x" * 200 + "/name.png")
    assert text.startswith("'/folder/")
    assert text.endswith("/name.png'")
