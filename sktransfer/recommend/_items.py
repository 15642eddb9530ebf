"""Ids and features of items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from sklearn.utils import check_array

from sktransfer.base import fit_transform
from sktransfer.columns import describe, is_missing, row_labels, rows_of
from sktransfer.exceptions import BadCellError, ColumnError

Where = Callable[[int], str]
_DTYPES = [np.float64, np.float32]  # the first also for frames of polars


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


def features_of(encoder: Any, items: Any, *, fit: bool) -> np.ndarray:
    """Return the features of items, float32 or float64, and what the encoder gives for bad ones.

    Raises
    ------
    ColumnError
        If the encoder gives other rows than the items have.
    """
    found = items
    if encoder is not None:
        found = fit_transform(encoder, items, None) if fit else encoder.transform(items)
    found = found.toarray() if hasattr(found, "toarray") else found
    try:
        features = check_array(found, dtype=_DTYPES, order="C", ensure_all_finite=False)
    except (TypeError, ValueError) as error:
        what = "items without an item_encoder" if encoder is None else "what item_encoder gives"
        raise ColumnError(f"{what} must be a matrix of numbers: {error}") from error
    if len(features) != (n := len(rows_of(items))):
        raise ColumnError(f"item_encoder gives {len(features)} rows for {n} items")
    return features


def scaling_of(features: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean of each feature, and the mean of their standard deviations."""
    good = features[np.isfinite(features).all(axis=1)].astype(np.float64, copy=False)
    if not len(good):
        return {"mean": np.zeros(features.shape[1]), "scale": np.array(1.0)}
    mean = good.mean(axis=0)
    good -= mean
    largest = max(good.max(), -good.min()) or 1.0
    good /= largest  # squares of large or small numbers are no float64
    return {"mean": mean, "scale": np.array(largest * (good.std(axis=0).mean() or 1.0))}


def scaled(features: np.ndarray, scaling: dict[str, np.ndarray]) -> np.ndarray:
    """Return features that are about as large as 1, float32; what is not finite stays so."""
    found: np.ndarray = (features - scaling["mean"]) / scaling["scale"]
    return found.astype(np.float32)


def names_of(items: Any) -> list[str] | None:
    """Return the names of the columns of a frame; None if they are only numbered."""
    rows = rows_of(items)
    is_named = rows.is_named and rows.names != [*map(str, range(len(rows.names)))]
    return rows.names if is_named else None


def check_names(items: Any, before: list[str] | None) -> None:
    """Check that a frame of features has the columns of the fit, in their order.

    Raises
    ------
    ColumnError
        If both have names, and these differ.
    """
    names = names_of(items)
    if names and before and names != before:
        raise ColumnError(
            f"the items have the features {', '.join(map(repr, names[:8]))}, and those of fit "
            f"had {', '.join(map(repr, before[:8]))}; pass the same in the same order"
        )
