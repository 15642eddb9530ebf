"""Rows of any container, and copies of them in which some cells are others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from numbers import Number
from typing import Any

import narwhals as nw
import numpy as np

from sktransfer._warnings import warnings_ignored
from sktransfer.columns._as_column import by_narwhals, refuse_other_objects
from sktransfer.exceptions import ColumnError

#: Other cells of some rows of a new container, by column and position.
Changes = Mapping[int, Mapping[int, Any]]


class Rows(ABC):
    """Rows of a table, or of one column.

    Attributes
    ----------
    names : list of str
        Names of the columns; a number where there is none.
    is_named : bool
        Whether the names are those of a frame.
    """

    names: list[str]
    is_named: bool = False

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def column(self, number: int) -> Any:
        """Return one column as a container of one value per row."""

    @abstractmethod
    def cells(self, number: int) -> Sequence[Any]:
        """Return the values of one column."""

    @abstractmethod
    def select(self, numbers: Sequence[int]) -> Any:
        """Return some columns as a container of the same kind."""

    @abstractmethod
    def take(self, rows: Sequence[int], changes: Changes) -> Any:
        """Return a container of the same kind.

        Parameters
        ----------
        rows : sequence of int
            The row to copy to each position.
        changes : mapping of int to mapping of int to object
            By column and position, the cells that are others.
        """


def rows_of(X: Any) -> Rows:
    """Return the rows of a container.

    Parameters
    ----------
    X : frame, Series, list, tuple, or array
        A frame, a matrix or a list of rows of numbers has several columns; another list or an
        array of more axes has one.

    Raises
    ------
    ColumnError
        If X is none of these, or has no rows.

    Examples
    --------
    >>> rows_of(["a", "b"]).take([0, 0, 1], {0: {1: "c"}})
    ['a', 'c', 'b']
    """
    refuse_other_objects(X)
    if isinstance(X, Sequence):
        if _are_numbers(X):
            X = np.asarray(X)
        native = X
    else:
        native = by_narwhals(X)
        if not isinstance(native, nw.DataFrame | nw.Series) and hasattr(X, "__array__"):
            X = np.asarray(X)
    found: Rows
    if isinstance(native, nw.DataFrame):
        found = _Frame(native)
    elif isinstance(native, nw.Series):
        found = _Series(native)
    elif isinstance(X, np.ndarray) and X.ndim == 2:
        found = _Matrix(X)
    elif isinstance(X, Sequence) or (isinstance(X, np.ndarray) and X.ndim):
        found = _Cells(X)
    else:
        raise ColumnError(
            f"a {type(X).__name__} has no rows; pass a frame, a Series, a list or an array"
        )
    if not len(found):
        raise ColumnError("X has no rows")
    return found


def _are_numbers(X: Sequence[Any]) -> bool:
    """Return whether a list is a matrix: of lists of as many numbers each."""
    return (
        all(isinstance(row, list | tuple) and row and len(row) == len(X[0]) for row in X)
        and all(isinstance(value, Number) for row in X for value in row)
        and bool(X)
    )


class _Frame(Rows):
    is_named = True

    def __init__(self, X: nw.DataFrame) -> None:
        self._X = X
        self.names = [str(name) for name in X.columns]

    def __len__(self) -> int:
        return len(self._X)

    def column(self, number: int) -> Any:
        return self._X[:, number].to_native()

    def cells(self, number: int) -> Sequence[Any]:
        return self._X[:, number].to_list()

    def select(self, numbers: Sequence[int]) -> Any:
        return self._X[:, list(numbers)].to_native()

    def take(self, rows: Sequence[int], changes: Changes) -> Any:
        found = self._X[list(rows), :]
        new = [_changed(found[:, number], cells) for number, cells in changes.items() if cells]
        return (found.with_columns(*new) if new else found).to_native()


class _Series(Rows):
    def __init__(self, X: nw.Series) -> None:
        self._X = X
        self.names = ["0" if X.name in (None, "") else str(X.name)]

    def __len__(self) -> int:
        return len(self._X)

    def column(self, number: int) -> Any:
        return self._X.to_native()

    def cells(self, number: int) -> Sequence[Any]:
        return self._X.to_list()

    def select(self, numbers: Sequence[int]) -> Any:
        return self._X.to_native()

    def take(self, rows: Sequence[int], changes: Changes) -> Any:
        found, cells = self._X[list(rows)], changes.get(0)
        return (_changed(found, cells) if cells else found).to_native()


class _Matrix(Rows):
    def __init__(self, X: np.ndarray) -> None:
        self._X = X
        self.names = [str(number) for number in range(X.shape[1])]

    def __len__(self) -> int:
        return len(self._X)

    def column(self, number: int) -> Any:
        return self._X[:, number]

    def cells(self, number: int) -> Sequence[Any]:
        return list(self._X[:, number])

    def select(self, numbers: Sequence[int]) -> Any:
        return self._X[:, list(numbers)]

    def take(self, rows: Sequence[int], changes: Changes) -> Any:
        found = self._X[list(rows)]
        others = [cell for cells in changes.values() for cell in cells.values()]
        if not all(
            np.can_cast(np.min_scalar_type(c), found.dtype) for c in others if _is_number(c)
        ):
            found = found.astype(np.float64)
        if not all(map(_is_number, others)):
            found = found.astype(object)  # strings of NumPy would be cut to a length
        for number, cells in changes.items():
            for position, cell in cells.items():
                found[position, number] = cell
        return found


class _Cells(Rows):
    def __init__(self, X: Sequence[Any] | np.ndarray) -> None:
        self._X = X
        self.names = ["0"]

    def __len__(self) -> int:
        return len(self._X)

    def column(self, number: int) -> Any:
        return self._X

    def cells(self, number: int) -> Sequence[Any]:
        return self._X  # type: ignore[return-value]

    def select(self, numbers: Sequence[int]) -> Any:
        return self._X

    def take(self, rows: Sequence[int], changes: Changes) -> Any:
        cells = changes.get(0)
        if not cells and isinstance(self._X, np.ndarray):
            return self._X[list(rows)]
        found = [self._X[row] for row in rows]
        for position, cell in (cells or {}).items():
            found[position] = cell
        return found


class FlatRows(Rows):
    """Rows of a matrix each of which is one cell; a list of cells where one has another form.

    Parameters
    ----------
    X : array-like of shape (n, values)
        The matrix.
    cells : sequence of ndarray
        Its rows in the shape of a cell.
    """

    def __init__(self, X: Any, cells: Sequence[Any]) -> None:
        self._X, self._cells = X, cells
        self.names = ["0"]

    def __len__(self) -> int:
        return len(self._cells)

    def column(self, number: int) -> Any:
        return self._X

    def cells(self, number: int) -> Sequence[Any]:
        return self._cells

    def select(self, numbers: Sequence[int]) -> Any:
        return self._X

    def take(self, rows: Sequence[int], changes: Changes) -> Any:
        cells = changes.get(0, {})
        found = [cells.get(position, self._cells[row]) for position, row in enumerate(rows)]
        if not all(isinstance(cell, np.ndarray) for cell in found):
            return found
        return np.stack([np.ravel(cell) for cell in found])


def _changed(column: nw.Series, cells: Mapping[int, Any]) -> nw.Series:
    """Return a column with other cells, of the same type if it can hold them."""
    values = column.to_list()
    for position, cell in cells.items():
        values[position] = cell
    backend = column.implementation
    if all(isinstance(cell, str) or _is_number(cell) for cell in cells.values()):
        found = nw.new_series(column.name, values, None, backend=backend)
        before = _as_before(found, column, found.to_list())
        return found if before is None else before
    if backend.is_pyarrow():
        before = _as_before(None, column, values)
        if before is None:
            raise ColumnError(
                "cells of an Arrow table cannot be left out in part; pass a frame of pandas or "
                "polars"
            )
        return before
    found = nw.new_series(column.name, values, nw.Object, backend=backend)
    before = _as_before(found, column, values)
    return found if before is None else before


def _as_before(found: nw.Series | None, column: nw.Series, values: list[Any]) -> nw.Series | None:
    """Return new values in the type of a column; None if it cannot hold them."""
    native: Any = column.to_native()
    # Errors of any library, and pandas' warning of a category that is not there.
    with suppress(Exception), warnings_ignored():
        if found is not None and hasattr(native, "astype"):  # keeps more than narwhals knows
            new: Any = found.to_native()
            other = nw.from_native(new.astype(native.dtype), series_only=True)
        elif found is not None and found.dtype != nw.Object:
            other = found.cast(column.dtype)
        else:
            name, backend = column.name, column.implementation
            other = nw.new_series(name, values, column.dtype, backend=backend)
        if all(
            a is b or a == b or (a != a and b != b)
            for a, b in zip(other.to_list(), values, strict=True)
        ):
            return other
    return None


def _is_number(cell: object) -> bool:
    return cell is None or isinstance(cell, (Number, np.number, np.bool_))
