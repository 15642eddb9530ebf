"""From a container to one column of cells."""

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from numbers import Number
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError

from sktransfer.columns._cells import describe, is_missing
from sktransfer.columns._column import CellType, Column
from sktransfer.columns._datasets import refuse_datasets
from sktransfer.exceptions import ColumnError
from sktransfer.lazy import is_lazy

# How tables and columns of any library export themselves to others.
_EXPORTS = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")


def as_column(X: Any, cell_type: CellType) -> Column:
    """Read a container as one column of cells.

    Parameters
    ----------
    X : list, tuple, Series, one-column frame, or array
        Of any library that narwhals or Arrow can read. Arrays of more axes where `cell_type`
        knows what they hold.
    cell_type : CellType
        What the cells are.

    Returns
    -------
    Column
        The cells themselves are looked at only as far as needed to tell a column from other
        things.

    Raises
    ------
    ColumnError
        If X is not one column. The message says what it is and what to do.

    Examples
    --------
    >>> from sktransfer.modalities import modality_of
    >>> column = as_column(np.array([["one"], ["two"]]), modality_of("text")())
    >>> column.cells, column.n_features
    (['one', 'two'], 1)
    """
    refuse_other_objects(X)
    if isinstance(X, Sequence):
        column = _from_sequence(X, cell_type)
    elif isinstance(X := by_narwhals(X), nw.DataFrame):
        column = _from_frame(X, cell_type)
    elif hasattr(X, "to_list") and hasattr(X, "dtype"):  # besides Series, an Index of pandas
        column = _from_series(X, cell_type)
    elif hasattr(X, "__array__"):
        column = _from_array(_as_array(X), cell_type)
    else:
        raise ColumnError(
            f"a {type(X).__name__} is not a column; "
            "pass a list, an array, a Series or a frame of one column"
        )
    _refuse_numbers(column, cell_type)
    return column


def _as_array(X: Any) -> np.ndarray:
    try:
        return np.asarray(X)
    except Exception as error:  # ragged lists; tensors on a device or with a gradient
        raise ColumnError(
            f"X cannot be read as a NumPy array ({error}); convert it first"
        ) from error


def refuse_other_objects(X: Any) -> None:
    """Refuse what is no container of rows."""
    name = type(X).__name__
    if X is None or isinstance(X, (Number, np.generic)):
        raise ColumnError(f"{describe(X)} is not a column; pass a list with one value per row")
    # A Pillow image, which alone has `getbbox`, has an array interface but no rows.
    one_cell = (str, bytes, bytearray, memoryview, os.PathLike)
    if isinstance(X, one_cell) or hasattr(X, "getbbox"):
        raise ColumnError(f"{describe(X)} is one cell, not a column; pass a list with one element")
    if hasattr(X, "nnz") and hasattr(X, "toarray"):  # one of SciPy's formats is a mapping
        raise ColumnError(f"a sparse {name} is not a column of cells; pass X.toarray()")
    if isinstance(X, Mapping):
        raise ColumnError(f"a {name} is not a column; choose one of its values, e.g. X['name']")
    if isinstance(X, Set):
        raise ColumnError(f"a {name} has no order, so it is not a column; pass sorted(X)")
    if isinstance(X, Iterator):
        raise ColumnError(f"a {name} can be read only once; pass list(X)")
    if is_lazy(X):
        raise ColumnError(f"a {name} of dask has no values yet; pass X.compute()")
    if isinstance(X, np.ma.MaskedArray):
        raise ColumnError("a masked array is not supported; drop the masked rows and pass X.data")
    refuse_datasets(X)


def by_narwhals(X: Any) -> Any:
    """Return a frame or Series of any library as one of narwhals; other values as they are."""
    try:
        found: Any = nw.from_native(X, allow_series=True, pass_through=True)
        if found is X and not isinstance(X, nw.DataFrame | nw.Series):
            found = nw.from_native(_from_arrow(X), allow_series=True, pass_through=True)
    except DuplicateError as error:
        names = str(error).rpartition("got:")[2].strip(" \n-").replace("\n- ", ", ")
        raise ColumnError(
            f"X has several columns of the same name ({names}); rename them, or pass one column"
        ) from error
    if isinstance(found, nw.LazyFrame):
        how = "X" if hasattr(X, "collect_schema") else "narwhals.from_native(X)"
        raise ColumnError(f"a {type(X).__name__} has no values yet; pass {how}.collect()")
    return found


def _from_arrow(X: Any) -> Any:
    """Return what exports itself to Arrow, or as an interchange frame, as an object of pyarrow."""
    if not any(map(partial(hasattr, X), _EXPORTS)):
        return X
    try:
        import pyarrow
        from pyarrow.interchange import from_dataframe
    except ImportError as error:
        raise ColumnError(
            f"a {type(X).__name__} is read through pyarrow, which is not installed: "
            "pip install pyarrow, or pass a list"
        ) from error
    is_stream = hasattr(X, "__arrow_c_stream__")
    try:
        if not is_stream and not hasattr(X, "__arrow_c_array__"):
            return from_dataframe(X)
        # Only tables and batches have a schema with fields; the others are Series.
        with suppress(pyarrow.ArrowInvalid):
            return pyarrow.chunked_array([X]) if isinstance(X, pyarrow.Array) else pyarrow.table(X)
        return pyarrow.chunked_array(X if is_stream else [pyarrow.array(X)])
    except Exception as error:  # of any library
        raise ColumnError(
            f"a {type(X).__name__} fails to export its values ({type(error).__name__}: {error}); "
            "pass a list or an array of them"
        ) from error


def _refuse_empty(shape: tuple[int, ...]) -> None:
    for length, unit in zip(shape, ("sample(s)", "feature(s)"), strict=False):
        if length == 0:
            # The wording of scikit-learn.
            raise ColumnError(
                f"Found array with 0 {unit} (shape={shape}) while a minimum of 1 is required."
            )


def _refuse_numbers(column: Column, cell_type: CellType) -> None:
    present = (row for row, cell in enumerate(column.cells) if not is_missing(cell))
    first = next(present, None)
    # One number among other cells is a bad cell; a column of numbers is the wrong column.
    if first is None or not all(_is_number(column.cells[row]) for row in chain([first], present)):
        return
    article = "an" if cell_type.noun[0] in "aeiou" else "a"
    raise ColumnError(
        f"{column.where(first)} is the number {describe(column.cells[first])}, not {article} "
        f"{cell_type.noun}; choose another column{cell_type.number_advice}"
    )


def _is_number(cell: object) -> bool:
    return isinstance(cell, (Number, np.number, np.bool_))


def _from_frame(X: Any, cell_type: CellType) -> Column:
    _refuse_empty(X.shape)
    names = [str(name) for name in X.columns]
    if len(names) == 1:
        column = _from_series(X[:, 0], cell_type)
        # As for scikit-learn, only strings are feature names.
        return replace(column, name=names[0], is_frame=isinstance(X.columns[0], str))
    if cell_type.takes_rows:
        column = _from_array(X.to_numpy(), cell_type)
        return replace(column, index=row_labels(X), is_frame=True)
    shown = ", ".join(repr(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    raise _several_columns(len(names), f" ({shown})", f"X[{names[0]!r}]", cell_type)


def _from_series(X: Any, cell_type: CellType) -> Column:
    _refuse_empty((len(X),))
    name, native = getattr(X, "name", None), nw.to_native(X, pass_through=True)
    dtype = native.dtype if hasattr(native, "dtype") else native.type
    # Arrays of one size are a dtype with a shape, and are listed as nested lists.
    if "fixed_shape_tensor" in str(dtype):
        column = _from_tensors(X.to_arrow(), cell_type)
    elif shape := getattr(X.dtype, "shape", ()):
        column = _from_arrays(X, shape, cell_type)
    else:
        column = Column(X.to_list())
    return replace(column, name=None if name in (None, "") else str(name), index=row_labels(X))


def _from_tensors(X: Any, cell_type: CellType) -> Column:
    """Read an array of Arrow's extension type for tensors of one shape."""
    order = X.type.permutation or []
    if list(order) != sorted(order):  # pyarrow itself reads back other values than it has written
        raise ColumnError(
            f"X holds tensors whose axes are permuted ({X.type}); store them without a "
            "permutation, or pass a NumPy array"
        )
    return _from_arrays(by_narwhals(X.storage), tuple(X.type.shape), cell_type)


def _from_arrays(X: Any, shape: tuple[int, ...], cell_type: CellType) -> Column:
    """Read a Series whose cells are arrays of one shape, or null."""
    present = np.flatnonzero(~X.is_null().to_numpy())
    if not len(present):
        return Column(X.to_list())
    rows = _stacked(X.drop_nulls().to_numpy())
    column = _from_array(rows.reshape(-1, *shape), cell_type)
    if len(present) == len(X):
        return column
    cells: list[object] = [None] * len(X)
    for row, cell in zip(present, column.cells, strict=True):
        cells[row] = cell
    return replace(column, cells=cells)


def _stacked(X: np.ndarray) -> np.ndarray:
    """Return arrays in arrays, as Arrow exports nested lists of fixed size, as one array."""
    return np.stack([_stacked(x) for x in X]) if X.dtype.kind == "O" else X


def row_labels(X: Any) -> Sequence[object] | None:
    """Return the index of a container, or None where it has none or it is 0, 1, 2, ..."""
    index: Any = getattr(nw.to_native(X, pass_through=True), "index", None)
    is_default = type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1
    return None if is_default or callable(index) else index


def _from_sequence(X: Sequence[Any], cell_type: CellType) -> Column:
    _refuse_empty((len(X),))
    is_row = isinstance(X[0], (list, tuple)) or getattr(X[0], "ndim", None) == 1
    if cell_type.takes_rows and is_row:
        return _from_array(_as_array(X), cell_type)
    return Column(X)


def _from_array(X: np.ndarray, cell_type: CellType) -> Column:
    if X.ndim == 0:
        raise ColumnError(f"{describe(X[()])} is not a column; pass a list with one value per row")
    _refuse_empty(X.shape)
    if X.dtype.kind == "c":
        raise ColumnError("Complex data not supported; pass one column per part, of real numbers")
    found = cell_type.cells_of_array(X)
    if found is not None:
        return Column(found[0], n_features=found[1])
    if X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]
    if X.ndim == 1:
        # Never tolist() on an object array: it would open nested arrays.
        return Column(list(X) if X.dtype.kind == "O" else X.tolist())
    if X.ndim == 2:
        raise _several_columns(X.shape[1], "", "X[:, 0]", cell_type)
    raise ColumnError(
        f"an array of shape {X.shape} and dtype {X.dtype} is not a column of {cell_type.noun}s"
    )


def _several_columns(count: int, names: str, example: str, cell_type: CellType) -> ColumnError:
    return ColumnError(
        f"X has {count} columns{names}, but one column of {cell_type.noun}s is wanted; choose "
        f"one, e.g. {example}, or use ColumnTransformer for several{cell_type.columns_advice}"
    )
