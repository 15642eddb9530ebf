"""Cells of one column in the form that the transformers of its kind take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sktransfer.columns import Values, describe, is_missing, numbers_of, seconds_of
from sktransfer.exceptions import BadCellError
from sktransfer.tables._columns import CATEGORY, DATE, NUMBER, TEXT

_KINDS = ("boolean", "date", "duration", "number")
_NUMBERS = {"number", "boolean"}
# What cells of a kind can be besides strings.
_FITTING = {NUMBER: _NUMBERS | {"duration"}, DATE: {"date"}}
_CONVERTERS = {NUMBER: numbers_of, DATE: seconds_of}


def cells_of_kind(
    values: Values, kind: str
) -> tuple[Sequence[Any] | np.ndarray, np.ndarray, list[int]]:
    """Return the cells of a column as a kind has them, which are missing, and which are unreadable.

    Parameters
    ----------
    values : Values
        The column.
    kind : str
        Numbers and dates are float64, categories are str. Of other kinds, numbers become str, and
        other cells stay.

    Returns
    -------
    cells : sequence of n cells
    missing : ndarray of bool, shape (n,)
        With cells that are no numbers or dates.
    unreadable : list of int
        Rows of these.
    """
    if kind in _CONVERTERS:
        numbers, bad = _CONVERTERS[kind](values.cells)
        return numbers, np.isnan(numbers), bad
    missing = np.fromiter(map(is_missing, values.cells), bool, len(values.cells))
    if kind == CATEGORY or values.kind not in ("string", "other"):
        return [*map(_as_text, values.cells)], missing, []
    return values.cells, missing, []


def taken_kinds(values: Values, kind: str) -> list[str]:
    """Return what cells of a column may be after a fit to these.

    Numbers, dates and categories may be strings too. Numbers may be categories where those of the
    fit were numbers, or strings that are written like them, and texts where those of the fit were
    numbers. Of other kinds, any cells may be.
    """
    if kind not in (NUMBER, DATE, CATEGORY, TEXT):
        return [*_KINDS]
    found = {*values.kinds()}
    if kind in _FITTING and not found & (_FITTING[kind] | {"string"}):
        found = {*_FITTING[kind]}
    if kind == DATE:
        found.add("date")
    has_numbers = {
        NUMBER: "string" in found,
        CATEGORY: "string" in found and any(map(_is_like_number, values.cells)),
    }
    if found & _NUMBERS or has_numbers.get(kind):
        found |= _NUMBERS
    return sorted(found | {"string"})


def check_kinds(values: Values, taken: Sequence[str]) -> None:
    """Refuse cells that can be read, but mean something else than those of the fit.

    Raises
    ------
    BadCellError
        Naming the first row with a number among dates, a date among numbers, and so on.
    """
    for kind, row in values.kinds().items():
        if kind in _KINDS and kind not in taken:
            cell, kinds = describe(values.cells[row]), " or a ".join(taken)
            raise BadCellError(
                f"row {row}: {cell} is a {kind}; a cell of this column can be a {kinds}, as "
                "in fit.",
                row=row,
            )


def _is_like_number(cell: Any) -> bool:
    """Return whether a string is that of a number: "7", and not "07"."""
    try:
        return isinstance(cell, str) and _as_text(float(cell)) == cell.strip()
    except (ValueError, OverflowError):
        return False


def _as_text(cell: Any) -> str:
    # Columns of a data type of booleans are numbers.
    is_whole = isinstance(cell, (bool, np.bool_)) or (
        isinstance(cell, (float, np.floating)) and float(cell).is_integer()
    )
    return str(int(cell)) if is_whole else str(cell)
