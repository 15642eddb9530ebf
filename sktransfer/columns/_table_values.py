"""Values of one column of a table: numbers as one array, other cells as a list."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from numbers import Number
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from sktransfer.columns._as_column import as_column, by_narwhals
from sktransfer.columns._cells import is_missing
from sktransfer.columns._column import CellType
from sktransfer.exceptions import ColumnError

_US = 1e6  # microseconds per second
_FIRST_ROUNDED = 2**53
_MONTH = re.compile(r"\d{4}-\d{2}")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Values(NamedTuple):
    """Values of a column of a table.

    Attributes
    ----------
    kind : {"number", "boolean", "date", "duration", "category", "string", "mixed", "other"}
        What all cells that are not missing are; "category" if the data type says so, "mixed" for
        strings among numbers, "other" for anything else.
    cells : sequence of n cells
        A float64 array with NaN for missing values if the data type is one of numbers, dates (in
        seconds since 1970) or durations (in seconds); else a list of the cells, as of integers that
        float64 would round.
    """

    kind: str
    cells: Sequence[Any] | np.ndarray

    def kinds(self) -> dict[str, int]:
        """Return what its cells are that are not missing, and the first row of each."""
        if isinstance(self.cells, np.ndarray) and self.cells.dtype == np.float64:
            present = np.flatnonzero(~np.isnan(self.cells))
            return {self.kind: int(present[0])} if len(present) else {}
        types: dict[type, int] = {}
        for row, cell in enumerate(self.cells):
            if type(cell) not in types and not is_missing(cell):
                types[type(cell)] = row
        found: dict[str, int] = {}
        for kind, row in types.items():
            found.setdefault(_kind_of_type(kind), row)
        return found


def values_of(X: Any) -> Values:
    """Read one column of a table.

    Parameters
    ----------
    X : Series, array of one axis, or list
        As `Rows.column` returns it.

    Examples
    --------
    >>> values_of(["1", None, "x"]).kind
    'string'
    >>> values_of(np.array([True, False])).cells
    array([1., 0.])
    """
    series = by_narwhals(X)
    if isinstance(series, nw.Series):
        return _of_series(series)
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in _KINDS_OF_NUMPY:
        kind = _KINDS_OF_NUMPY[X.dtype.kind]
        if X.dtype.kind in "iu" and _is_rounded(X):
            return Values(kind, X.tolist())
        return Values(kind, _seconds(X) if X.dtype.kind in "mM" else X.astype(np.float64))
    cells = list(X)
    return Values(kind_of_cells(cells), cells)


_KINDS_OF_NUMPY = {
    **dict.fromkeys("iuf", "number"),
    **{"b": "boolean", "M": "date", "m": "duration"},
}


def _of_series(X: nw.Series) -> Values:
    kind = _kind_of_dtype(X.dtype)
    if X.dtype.is_integer() and _is_rounded(X):
        return Values("number", X.to_list())
    if kind in ("number", "boolean"):
        # Not by the library itself: it would read null and NaN of nullable types as two things.
        values = X.cast(nw.Float64).to_numpy()
        return Values(kind, np.asarray(values, np.float64))
    cells = X.to_list()
    found = kind or kind_of_cells(cells)
    if found == "other":
        with suppress(ColumnError):  # arrays of one shape are listed as nested lists
            return Values(found, as_column(X.to_native(), _Arrays()).cells)
    return Values(found, cells)


def _is_rounded(integers: Any) -> bool:
    """Return whether there are integers that float64 cannot hold, such as long ids."""
    ends = (integers.min(), integers.max()) if len(integers) else ()
    return any(abs(int(end)) >= _FIRST_ROUNDED for end in ends if not is_missing(end))


class _Arrays(CellType):
    noun = "cell"

    def cells_of_array(self, X: np.ndarray) -> tuple[Any, int] | None:
        return (X, 1) if X.ndim > 2 else None


def _kind_of_dtype(dtype: Any) -> str | None:
    if dtype.is_numeric():
        return "number"
    if dtype == nw.Boolean:
        return "boolean"
    if dtype in (nw.Categorical, nw.Enum):
        return "category"
    return None


def _seconds(X: np.ndarray) -> np.ndarray:
    unit = "datetime64[us]" if X.dtype.kind == "M" else "timedelta64[us]"
    values = X.astype(unit).astype(np.int64) / _US
    return np.where(np.isnat(X), np.nan, values)


def kind_of_cells(cells: Iterable[Any]) -> str:
    """Return what all cells that are not missing are; "other" if they are nothing in common."""
    kinds = {_kind_of_type(kind) for kind in {type(c) for c in cells if not is_missing(c)}}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds == {"number", "boolean"}:
        return "number"
    return "mixed" if kinds and kinds <= {"number", "boolean", "string", "date"} else "other"


def _kind_of_type(kind: type) -> str:
    return next((name for name, types in _TYPES if issubclass(kind, types)), "other")


_TYPES: list[tuple[str, tuple[type, ...]]] = [
    ("other", (complex, np.complexfloating)),
    ("boolean", (bool, np.bool_)),
    ("duration", (datetime.timedelta, np.timedelta64)),
    ("date", (datetime.date, np.datetime64)),
    ("number", (Number, np.number, decimal.Decimal)),
    ("string", (str,)),
]


def numbers_of(cells: Sequence[Any] | np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return cells as float64, NaN where missing or none; and the rows that are neither.

    Numbers, booleans, durations in seconds, and strings of numbers are read.

    Examples
    --------
    >>> numbers_of(["1.5", "", "x"])
    (array([1.5, nan, nan]), [2])
    """
    return _converted(cells, _number)


def seconds_of(cells: Sequence[Any] | np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return dates as float64 seconds since 1970, and the rows that are no dates nor missing.

    Dates with a time zone are converted to UTC; strings are read by ISO 8601, a month as its first
    day.

    Examples
    --------
    >>> seconds_of(["1970-01-02", None])[0]
    array([86400.,    nan])
    """
    return _converted(cells, _second)


def _converted(
    cells: Sequence[Any] | np.ndarray, convert: Callable[[Any], float]
) -> tuple[np.ndarray, list[int]]:
    if isinstance(cells, np.ndarray) and cells.dtype == np.float64:
        return cells, []
    found, bad = np.full(len(cells), np.nan), []
    for row, cell in enumerate(cells):
        if is_missing(cell):
            continue
        try:
            found[row] = convert(cell)
        except OverflowError:
            found[row] = np.inf if cell > 0 else -np.inf
        except (TypeError, ValueError, ArithmeticError, AttributeError):
            bad.append(row)
    return found, bad


def _number(cell: Any) -> float:
    if isinstance(cell, np.timedelta64):
        return float(cell / np.timedelta64(1, "us")) / _US
    return cell.total_seconds() if isinstance(cell, datetime.timedelta) else float(cell)


def _second(cell: Any) -> float:
    if isinstance(cell, np.datetime64):
        return float(cell.astype("datetime64[us]").astype(np.int64)) / _US
    if isinstance(cell, str):
        text = cell.strip().replace("/", "-")
        cell = datetime.datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
    if not isinstance(cell, datetime.datetime):
        cell = datetime.datetime(cell.year, cell.month, cell.day)
    if cell.tzinfo is None:
        cell = cell.replace(tzinfo=datetime.UTC)
    return (cell - _EPOCH).total_seconds()
