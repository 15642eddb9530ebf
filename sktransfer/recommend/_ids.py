"""Ids of users and items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from sktransfer.columns import describe, is_missing, row_labels, rows_of
from sktransfer.exceptions import BadCellError, ColumnError

Where = Callable[[int], str]


def plain_ids(values: Iterable[Any], what: str, where: Where = "row {}".format) -> list[Any]:
    """Return ids as a list, with types of Python where these are equal to those of NumPy.

    Parameters
    ----------
    values : iterable
        One id per row.
    what : str
        What they are called in messages.
    where : callable
        Names a row in messages.

    Raises
    ------
    BadCellError
        If one is missing, or cannot be an id.
    """
    found = [_plain(value) for value in values]
    for row, value in enumerate(found):
        # True is equal to 1, so that a mask would pass for ids.
        if is_missing(value) or isinstance(value, bool) or not _is_hashable(value):
            raise BadCellError(
                f"{where(row)}: {what} is {describe(value)}, which is no id; ids are numbers, "
                "strings or dates",
                row=row,
            )
    return found


def _plain(value: Any) -> Any:
    if not isinstance(value, np.generic):
        return value
    found = value.item()
    if isinstance(value, np.datetime64 | np.timedelta64) and isinstance(found, int):
        # Python has no nanoseconds, for which NumPy gives integers.
        micro = value.astype(f"{value.dtype.kind}8[us]")
        found = micro.item() if micro == value else value
        return value if isinstance(found, int) else found
    return found


def one_column(X: Any, what: str) -> Sequence[Any]:
    """Return the cells of what is one column.

    Raises
    ------
    ColumnError
        If it has several.
    """
    rows = rows_of(X)
    if isinstance(X, list | tuple) and all(isinstance(cell, tuple) for cell in X):
        return X  # of ids that are tuples
    if len(rows.names) > 1:
        raise ColumnError(f"{what} must be one column of ids, and not {len(rows.names)}")
    return rows.cells(0)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def positions_of(
    ids: Sequence[Any],
    known: Mapping[Any, int],
    what: str,
    advice: str,
    where: Where = "row {}".format,
) -> np.ndarray:
    """Return the positions of ids among known ones.

    Raises
    ------
    BadCellError
        If one is not known; the message ends with `advice`.
    """
    found = np.array([known.get(key, -1) for key in ids], dtype=np.intp)
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        raise BadCellError(
            f"{where(row)}: {what} {describe(ids[row])} is not known; {advice}", row=row
        )
    return found


def item_ids(items: Any, ids: Any) -> list[Any]:
    """Return the ids of items: those given, the index of a pandas object, or 0, 1, 2, ...

    Raises
    ------
    ColumnError
        If there are more or fewer ids than items.
    BadCellError
        If an id is missing, or is there twice.
    """
    n = len(rows_of(items))
    if ids is None:
        labels = row_labels(items)
        found = plain_ids(range(n) if labels is None else labels, "the index of items")
    else:
        found = plain_ids(one_column(ids, "item_ids"), "item_ids")
    if len(found) != n:
        raise ColumnError(f"there are {n} items and {len(found)} item_ids")
    first: dict[Any, int] = {}
    for row, key in enumerate(found):
        if first.setdefault(key, row) != row:
            raise BadCellError(
                f"the items in rows {first[key]} and {row} have the same id {describe(key)}; "
                "each item has one row",
                row=row,
            )
    return found


def as_array(ids: Sequence[Any]) -> np.ndarray:
    """Return ids as an array of their type, or of objects if NumPy has none for all of them."""
    dtype = _dtype_of(ids)
    if dtype is not object:
        array = np.array(ids, dtype=dtype)
        if array.tolist() == [*ids]:  # not integers that have no type in common
            return array
    found = np.empty(len(ids), dtype=object)
    found[:] = ids
    return found


def _dtype_of(ids: Sequence[Any]) -> Any:
    """Return the type of an array of ids; None for that which NumPy finds."""
    if len({type(key) for key in ids}) > 1:
        return object
    if isinstance(ids[0], int | float | str):
        return None
    if isinstance(ids[0], datetime):  # also those of pandas
        return object if any(key.tzinfo for key in ids) else "datetime64[us]"
    return "datetime64[D]" if isinstance(ids[0], date) else object
