"""Containers of rows and columns, and the columns of a fit in others."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktransfer.columns import Rows, rows_of
from sktransfer.exceptions import ColumnError
from sktransfer.lazy import is_lazy


def read_table(X: Any) -> Rows:
    """Read a frame of any library, a matrix, or a list of rows.

    Raises
    ------
    ColumnError
        If X is none, has no columns or no rows, or two columns of one name.
    """
    if is_lazy(X):
        raise ColumnError(f"a {type(X).__name__} of dask has no values yet; pass X.compute()")
    X = _as_matrix(X)
    _refuse_other_shapes(X)
    rows = rows_of(X)
    if len({*rows.names}) < len(rows.names):
        twice = next(name for name in rows.names if rows.names.count(name) > 1)
        raise ColumnError(f"several columns of X are named {twice!r} as text; rename them")
    return rows


def _as_matrix(X: Any) -> Any:
    """Return a list of rows, or an array of any library, as one of NumPy; other things stay."""
    if isinstance(X, list | tuple) and X and isinstance(X[0], list | tuple | np.ndarray):
        return _matrix(X)
    if isinstance(X, np.ma.MaskedArray):
        # NumPy's objects of dates are integers where their unit is the nanosecond.
        found = X.data.astype(X.dtype if X.dtype.kind in "fmM" else object)
        found[np.ma.getmaskarray(X)] = None  # NaN or NaT where there are such
        return found
    is_array = hasattr(X, "__array__") and not hasattr(X, "columns") and not hasattr(X, "nnz")
    return np.asarray(X) if is_array else X


def _refuse_other_shapes(X: Any) -> None:
    """Raise if X is no table by its shape, or has nothing in it."""
    is_list = isinstance(X, list | tuple)
    is_dict = isinstance(X, dict) and not hasattr(X, "nnz")  # a sparse matrix may be one
    if is_dict or (is_list and X and isinstance(X[0], dict)):
        what = "dict" if is_dict else f"{type(X).__name__} of dicts"
        raise ColumnError(f"X is a {what}, not a table; pass pandas.DataFrame(X)")
    shape = getattr(X, "shape", None)
    if is_list or (shape is not None and len(shape) == 1):
        raise ColumnError(
            "Expected 2D array, got 1D array instead: X is one column. Pass a table, such as "
            "X.to_frame(). Reshape your data either using X.reshape(-1, 1) if your data has a "
            "single feature, or an embedder of one column."
        )
    if shape is not None and len(shape) > 2:
        raise ColumnError(
            f"Found array with dim {len(shape)}, while dim <= 2 is required: a table has rows and "
            "columns. Pass an array of images to ImageEmbedder."
        )
    if shape is not None and 0 in shape:
        unit = "sample(s)" if shape[0] == 0 else "feature(s)"
        raise ColumnError(
            f"Found array with 0 {unit} (shape={tuple(shape)}) while a minimum of 1 is required."
        )
    if getattr(getattr(X, "dtype", None), "kind", "") == "c":
        raise ColumnError("Complex data not supported; pass one column per part, of real numbers")


def _matrix(X: Any) -> np.ndarray:
    """Return a list of rows as an array of objects."""
    width = len(X[0])
    if any(len(row) != width for row in X):
        raise ColumnError("the rows of X have different lengths; pass a table")
    found = np.empty((len(X), width), object)
    for number, row in enumerate(X):
        for place, cell in enumerate(row):  # not at once: a cell may be an array
            found[number, place] = cell
    return found


def places_of(names: list[str], rows: Rows, *, by_name: bool, estimator: str) -> list[int]:
    """Return where the columns of the fit are in other rows.

    Parameters
    ----------
    names : list of str
        Of the columns of the fit.
    rows : Rows
        Other rows.
    by_name : bool
        Whether the fit was on a frame: its columns are then found by name in another frame.
    estimator : str
        Its name, for messages.
    """
    if by_name and rows.is_named:
        lacking = [name for name in names if name not in rows.names]
        if lacking:
            raise ColumnError(
                f"columns are missing: {', '.join(map(repr, lacking[:5]))}. X has "
                f"{', '.join(map(repr, rows.names[:8]))}; pass the columns of fit."
            )
        return [rows.names.index(name) for name in names]
    if len(rows.names) != len(names):
        raise ColumnError(
            f"X has {len(rows.names)} features, but {estimator} is expecting {len(names)} "
            "features as input."
        )
    return [*range(len(names))]
