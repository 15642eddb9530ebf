"""Tables of interactions: which user liked which item, how much, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from sktransfer.columns import Column, describe, is_missing, row_labels, rows_of
from sktransfer.exceptions import BadCellError, ColumnError
from sktransfer.recommend._ids import plain_ids

_NAMES = ("user", "item", "rating", "time")


@dataclass(frozen=True)
class Interactions:
    """Rows of a table of interactions.

    Attributes
    ----------
    users, items : list of object
        Ids.
    ratings : ndarray of float
        1 where there are none.
    order : ndarray of int
        Rows in the order of their times.
    table : Column
        Names rows in messages.
    """

    users: list[Any]
    items: list[Any]
    ratings: np.ndarray
    order: np.ndarray
    table: Column


def read_interactions(X: Any) -> Interactions:
    """Read a table of interactions.

    Parameters
    ----------
    X : frame, array or list of tuples, of n rows
        Columns named "user" and "item", and perhaps "rating" and "time"; or two to four columns
        in this order.

    Raises
    ------
    ColumnError
        If X is no such table.
    BadCellError
        If an id is missing, or a rating or a time cannot be used.
    """
    cells = _columns(X)
    table = Column(cells["user"], index=row_labels(X))
    users, items = (plain_ids(cells[name], f"the {name}", table.where) for name in ("user", "item"))
    ratings = _ratings(cells["rating"], table) if "rating" in cells else np.ones(len(users))
    order = np.arange(len(users))
    if "time" in cells:
        order = np.argsort(_times(cells["time"], table), kind="stable")
    return Interactions(users, items, ratings, order, table)


def _columns(X: Any) -> dict[str, Sequence[Any]]:
    """Return the cells of the columns of a table, by role."""
    if isinstance(X, Mapping):
        raise ColumnError("the interactions are a dict; pass pandas.DataFrame(X)")
    if isinstance(X, list | tuple) and X and all(isinstance(row, list | tuple) for row in X):
        widths = [len(row) for row in X]
        if set(widths) != {widths[0]}:
            row = int(np.argmax(np.array(widths) != widths[0]))
            raise ColumnError(f"row {row} of the interactions has another length than row 0")
        cells: list[Sequence[Any]] = [*zip(*X, strict=True)]
        names = [*getattr(X[0], "_fields", ())]  # of namedtuples
        is_named = bool(names)
    else:
        rows = rows_of(X)
        names, is_named = rows.names, rows.is_named
        cells = [rows.cells(number) for number in range(len(names))]
    if is_named and {"user", "item"} <= set(names):
        return {name: cells[names.index(name)] for name in _NAMES if name in names}
    lower = [name.lower() for name in names] if is_named else []
    moved = [n for n, name in enumerate(lower) if name in _NAMES and _NAMES.index(name) != n]
    if moved or not 2 <= len(cells) <= len(_NAMES):
        shown = f" ({', '.join(map(repr, names[:8]))})" if is_named else ""
        raise ColumnError(
            f"the interactions have {len(cells)} column(s){shown}; name those to use 'user', "
            "'item' and, where there are such, 'rating' and 'time', or pass two to four columns in "
            "this order"
        )
    return dict(zip(_NAMES, cells, strict=False))


def _ratings(cells: Sequence[Any], table: Column) -> np.ndarray:
    for row, value in enumerate(cells):
        try:
            is_rating = not isinstance(value, str | bytes) and 0 <= float(value) < np.inf
        except (TypeError, ValueError):
            is_rating = False
        if not is_rating:
            raise BadCellError(
                f"{table.where(row)}: the rating {describe(value)} is not a number from 0 on",
                row=row,
            )
    return np.asarray(cells, dtype=np.float64)


def _times(cells: Sequence[Any], table: Column) -> np.ndarray:
    """Return times as numbers or as datetimes of NumPy."""
    kind = "datetime" if not _is_number(cells[0]) else "number"
    found = []
    for row, value in enumerate(cells):
        try:
            found.append(_time(value, kind))
        except (TypeError, ValueError, OverflowError) as error:
            raise BadCellError(
                f"{table.where(row)}: the time {describe(value)} is not a {kind} ({error}); times "
                "are all numbers, or all datetimes or strings such as '2024-05-31 18:00'",
                row=row,
            ) from error
    return np.array(found)


def _time(value: Any, kind: str) -> Any:
    if is_missing(value):
        raise ValueError("it is missing")
    if _is_number(value) is not (kind == "number"):
        raise TypeError(f"it is a {type(value).__name__}")
    if kind == "number":
        return value
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if getattr(value, "tzinfo", None) is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")  # nanoseconds end in 2262


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating)
