"""Cells of one column in the form that the transformers of its kind take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sktransfer.columns import Values, describe, is_missing, numbers_of, seconds_of
from sktransfer.exceptions import BadCellError
from sktransfer.tables._columns import CATEGORY, DATE, NUMBER

_CONVERTERS = {NUMBER: (numbers_of, "number"), DATE: (seconds_of, "date")}


def cells_of_kind(
    values: Values, kind: str, *, is_lenient: bool
) -> tuple[Sequence[Any] | np.ndarray, np.ndarray, bool]:
    """Return the cells of a column as a kind has them, which are missing, and whether some are bad.

    Parameters
    ----------
    values : Values
        The column.
    kind : str
        Numbers and dates are float64, categories are str. Of other kinds, numbers become str, and
        other cells stay.
    is_lenient : bool
        Whether cells that are no numbers or dates are missing, in place of an error.

    Raises
    ------
    BadCellError
        If a cell is no number or date.
    """
    if kind in _CONVERTERS:
        convert, noun = _CONVERTERS[kind]
        numbers, bad = convert(values.cells)
        if bad and not is_lenient:
            cell = describe(values.cells[bad[0]])
            raise BadCellError(f"row {bad[0]}: {cell} is not a {noun}.", row=bad[0])
        return numbers, np.isnan(numbers), bool(bad)
    missing = np.fromiter(map(is_missing, values.cells), bool, len(values.cells))
    if kind == CATEGORY or values.kind not in ("string", "other"):
        return [*map(_as_text, values.cells)], missing, False
    return values.cells, missing, False


def _as_text(cell: Any) -> str:
    # Columns of a data type of booleans are numbers.
    is_whole = isinstance(cell, (bool, np.bool_)) or (
        isinstance(cell, (float, np.floating)) and float(cell).is_integer()
    )
    return str(int(cell)) if is_whole else str(cell)
