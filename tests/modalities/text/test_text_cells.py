"""Texts are strings; missing and invalid cells raise an error with advice."""

import re

import pytest

from sktransfer.columns import as_column, is_missing
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._digests import text_digest
from sktransfer.modalities.text import TextModality
from sktransfer.modalities.text._text_cells import read_texts
from tests.modalities.text._bad_texts import GOOD, MISSING, NO_TEXTS, Car, Loud


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("missing", ["raise", "nan", "empty"])
def test_a_text_is_returned_unchanged_as_a_plain_str(text, missing):
    (got,) = read_texts([text], missing)
    assert got == text
    assert type(got) is str
    assert not is_missing(text)


def test_a_subclass_of_str_is_read_by_its_value_and_not_its_str():
    assert list(read_texts([Loud("loud"), Car.RED], "raise")) == ["loud", "a red car"]


def test_texts_that_look_alike_stay_different():
    composed, combined = read_texts(["\u00e9", "e\u0301"], "raise")
    assert composed != combined
    assert len(set(map(text_digest, [composed, combined, composed + " "]))) == 3


def test_a_long_text_is_returned_immediately():
    for text in ("word " * 2_000_000, " " * 10_000_000 + "a"):
        (got,) = read_texts([text], "raise")
        assert got == text
    (blank,) = read_texts(["\u200b" * 3_400_000], "empty")
    assert blank == ""


@pytest.mark.parametrize("cell", MISSING.values(), ids=MISSING)
def test_a_missing_text_is_an_error_with_advice(cell):
    text, error = read_texts(["a", cell], "raise")
    assert text == "a"
    assert isinstance(error, BadCellError)
    assert re.search(r"missing='nan'.*missing='empty'", str(error))


@pytest.mark.parametrize(("missing", "instead"), [("nan", None), ("empty", "")])
def test_missing_texts_are_skipped_or_empty(missing, instead):
    cells = ["a", *MISSING.values(), "b"]
    assert list(read_texts(cells, missing)) == ["a", *[instead] * len(MISSING), "b"]


@pytest.mark.parametrize(("cell", "match"), NO_TEXTS.values(), ids=NO_TEXTS)
@pytest.mark.parametrize("missing", ["raise", "nan", "empty"])
def test_a_cell_that_is_not_a_text_is_an_error_with_advice(cell, match, missing):
    column = as_column(["a", "b", cell], TextModality())
    *_, error = read_texts(column.cells, missing)
    assert isinstance(error, BadCellError)
    assert re.search(match, str(error))


@pytest.mark.parametrize(("missing", "expected"), [("nan", None), ("empty", "")])
def test_one_bad_text_does_not_prevent_reading_the_others(missing, expected):
    first, second, third, fourth = read_texts(["a", 3, None, "b"], missing)
    assert (first, third, fourth) == ("a", expected, "b")
    assert isinstance(second, BadCellError)
