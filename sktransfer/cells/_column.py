"""One column of cells from every container that can hold one."""

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import chain
from math import prod
from numbers import Number
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from PIL import Image

from sktransfer.cells._array import CHANNELS
from sktransfer.cells._cell import describe, is_missing
from sktransfer.exceptions import ColumnError
from sktransfer.lazy import is_lazy

Kind: TypeAlias = Literal["image", "text"]
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Column:
    """One column of cells.

    Parameters
    ----------
    cells : sequence of object
        One value a row; a list, a tuple or an array, not always a copy: read only.
    name : str or None
        Name of the Series or of the only column of a frame.
    index : sequence of object or None
        Row labels, where the container has its own and they are not just 0, 1, 2...
    n_features : int
        H * W * C for flattened rows, else 1.
    is_frame : bool
        Whether the container is a two-dimensional frame whose columns are named by strings.
    """

    cells: Sequence[object]
    name: str | None = None
    index: Sequence[object] | None = None
    n_features: int = 1
    is_frame: bool = False

    def where(self, row: int) -> str:
        """Name a row in a message, by its position and by its label if it has one."""
        if self.index is None:
            return f"row {row}"
        return f"row {row} (index {describe(self.index[row])})"


def as_column(X: Any, *, kind: Kind, image_shape: Shape | None = None) -> Column:
    """Read a container as one column of cells.

    Parameters
    ----------
    X : list, tuple, Series, one-column frame, or array
        For images also arrays of shape (n, H, W) or (n, H, W, C), and flattened rows
        (n, H * W * C) where `image_shape` is given.
    kind : {"image", "text"}
        What the cells are.
    image_shape : tuple of int, optional
        (H, W) or (H, W, C) of flattened rows.

    Returns
    -------
    Column
        The values are looked at only as far as it takes to know that this is a column.

    Raises
    ------
    ColumnError
        If X is not one column. The message says what it is and what to do.

    Examples
    --------
    >>> column = as_column(np.array([["a.png"], ["b.png"]]), kind="image")
    >>> column.cells, column.n_features
    (['a.png', 'b.png'], 1)
    """
    _refuse_other_things(X)
    if hasattr(X, "columns") and hasattr(X, "shape"):
        column = _from_frame(X, kind, image_shape)
    elif hasattr(X, "to_list") and hasattr(X, "dtype"):
        column = _from_series(X, kind, image_shape)
    elif isinstance(X, Sequence):
        column = _from_sequence(X, kind, image_shape)
    elif hasattr(X, "__array__"):
        column = _from_array(_as_array(X), kind, image_shape)
    else:
        raise ColumnError(
            f"a {type(X).__name__} is not a column; "
            "pass a list, an array, a Series or a frame of one column"
        )
    _refuse_numbers(column, kind, image_shape)
    return column


def _refuse_other_things(X: Any) -> None:
    name = type(X).__name__
    if X is None or isinstance(X, (Number, np.generic)):
        raise ColumnError(f"{describe(X)} is not a column; pass a list with one value a row")
    if isinstance(X, (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)):
        raise ColumnError(f"{describe(X)} is one cell, not a column; pass a list with one element")
    if isinstance(X, Mapping):
        raise ColumnError(f"a {name} is not a column; choose one of its values, e.g. X['name']")
    if isinstance(X, Set):
        raise ColumnError(f"a {name} has no order, so it is not a column; pass sorted(X)")
    if isinstance(X, Iterator):
        raise ColumnError(f"a {name} can be read only once; pass list(X)")
    if is_lazy(X):
        raise ColumnError(f"a {name} of dask has no values yet; pass X.compute()")
    if hasattr(X, "collect_schema") and not hasattr(X, "shape"):
        raise ColumnError(f"a {name} has no values yet; pass X.collect()")
    if hasattr(X, "nnz") and hasattr(X, "toarray"):
        raise ColumnError(f"a sparse {name} is not a column of cells; pass X.toarray()")
    if isinstance(X, np.ma.MaskedArray):
        raise ColumnError("a masked array is not supported; pass X.filled() or drop the rows")


def _refuse_empty(shape: Shape) -> None:
    for axis, unit in enumerate(["sample(s)", "feature(s)"][: len(shape)]):
        if shape[axis] == 0:
            # The wording is scikit-learn's.
            raise ColumnError(
                f"Found array with 0 {unit} (shape={shape}) while a minimum of 1 is required."
            )


def _refuse_numbers(column: Column, kind: Kind, image_shape: Shape | None) -> None:
    present = (row for row, cell in enumerate(column.cells) if not is_missing(cell))
    first = next(present, None)
    # A number among other cells is one bad cell; nothing but numbers is the wrong column.
    if first is None or not all(_is_number(column.cells[row]) for row in chain([first], present)):
        return
    row, cell = first, column.cells[first]
    if image_shape is not None:
        raise ColumnError(
            f"X has 1 feature(s), but image_shape={image_shape} needs H*W*C = "
            f"{prod(_checked_shape(image_shape))}. Reshape your data: one flattened image a row."
        )
    what = "an image" if kind == "image" else "a text"
    raise ColumnError(
        f"{column.where(row)} is the number {describe(cell)}, not {what}; "
        "choose another column" + ("" if kind == "image" else ", or pass X.astype(str)")
    )


def _is_number(cell: object) -> bool:
    return isinstance(cell, (Number, np.number, np.bool_))


def _from_frame(X: Any, kind: Kind, image_shape: Shape | None) -> Column:
    _refuse_empty(X.shape)
    names = [str(name) for name in X.columns]
    if len(names) == 1:
        series = X.iloc[:, 0] if hasattr(X, "iloc") else X.to_series(0)
        column = _from_series(series, kind, image_shape)
        # As for scikit-learn, only strings are names of features.
        return replace(column, name=names[0], is_frame=isinstance(X.columns[0], str))
    if kind == "image" and image_shape is not None:
        column = _flattened(X.to_numpy(), image_shape)
        return replace(column, index=_index(X), is_frame=True)
    shown = ", ".join(repr(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    raise _several_columns(len(names), f" ({shown})", f"X[{names[0]!r}]", kind)


def _from_series(X: Any, kind: Kind, image_shape: Shape | None) -> Column:
    _refuse_empty((len(X),))
    name = getattr(X, "name", None)
    # polars keeps arrays of one size as a dtype with a shape, and lists them as nested lists.
    if getattr(X.dtype, "shape", ()):
        column = _from_array(X.to_numpy(), kind, image_shape)
    else:
        column = Column(X.to_list())
    return replace(column, name=None if name in (None, "") else str(name), index=_index(X))


def _index(X: Any) -> Sequence[object] | None:
    index = getattr(X, "index", None)
    if index is None or callable(index):
        return None
    if type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1:
        return None
    return index


def _from_sequence(X: Sequence[Any], kind: Kind, image_shape: Shape | None) -> Column:
    _refuse_empty((len(X),))
    if kind == "image" and image_shape is not None and _is_flat_row(X[0]):
        return _flattened(_as_array(X), image_shape)
    return Column(X)


def _is_flat_row(cell: Any) -> bool:
    return isinstance(cell, (list, tuple)) or getattr(cell, "ndim", None) == 1


def _as_array(X: Any) -> np.ndarray:
    try:
        return np.asarray(X)
    except Exception as error:  # ragged lists, tensors on a device or with a gradient
        raise ColumnError(
            f"X cannot be read as a NumPy array ({error}); convert it first"
        ) from error


def _from_array(X: np.ndarray, kind: Kind, image_shape: Shape | None) -> Column:
    if X.ndim == 0:
        raise ColumnError(f"{describe(X[()])} is not a column; pass a list with one value a row")
    _refuse_empty(X.shape)
    if X.dtype.kind == "c":
        raise ColumnError("Complex data not supported; pass the parts as they are to be seen")
    if X.dtype.kind == "S" and kind == "image":
        raise ColumnError(
            f"an array of dtype {X.dtype} has lost the zeros at the end of its bytes; "
            "pass the list of bytes itself, or an array made with dtype=object"
        )
    if X.ndim == 1:
        return Column(_listed(X))
    if X.ndim == 2:
        return _from_matrix(X, kind, image_shape)
    if kind == "image" and X.dtype.kind in "buif":
        return _image_stack(X)
    raise ColumnError(f"an array of shape {X.shape} and dtype {X.dtype} is not a column of {kind}s")


def _listed(X: np.ndarray) -> list[object]:
    # tolist() would open up nothing of an object array, but list() keeps it beyond doubt.
    return list(X) if X.dtype.kind == "O" else X.tolist()


def _from_matrix(X: np.ndarray, kind: Kind, image_shape: Shape | None) -> Column:
    numeric = X.dtype.kind in "buif"
    if kind == "image" and image_shape is not None and (numeric or X.shape[1] > 1):
        return _flattened(X, image_shape)
    if X.shape[1] == 1:
        return Column(_listed(X[:, 0]))
    if kind == "image" and numeric:
        raise ColumnError(
            f"an array of shape {X.shape} is not a column of images. If its rows are flattened "
            f"images, set image_shape=(H, W) or (H, W, C) with H*W*C = {X.shape[1]}; if it is "
            "one image, pass [X]; a stack of images has the shape (n, H, W) or (n, H, W, C)"
        )
    raise _several_columns(X.shape[1], "", "X[:, 0]", kind)


def _several_columns(count: int, names: str, example: str, kind: Kind) -> ColumnError:
    hint = "; if its rows are flattened images, set image_shape" if kind == "image" else ""
    return ColumnError(
        f"X has {count} columns{names}, but one column of {kind}s is wanted; "
        f"choose one, e.g. {example}, or use ColumnTransformer for several{hint}"
    )


def _checked_shape(image_shape: Shape) -> Shape:
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or min(shape) < 1 or (len(shape) == 3 and shape[2] not in CHANNELS):
        raise ColumnError(
            f"image_shape={image_shape} is not (H, W) or (H, W, C) with C one of {CHANNELS}"
        )
    return shape


def _flattened(X: np.ndarray, image_shape: Shape) -> Column:
    shape = _checked_shape(image_shape)
    n_features = prod(shape)
    if X.ndim != 2 or X.shape[1] != n_features:
        count = X.shape[1] if X.ndim == 2 else X.shape
        raise ColumnError(
            f"X has {count} feature(s), but image_shape={image_shape} needs "
            f"H*W*C = {n_features} a row"
        )
    return Column(_rows(_numeric(X).reshape(-1, *shape)), n_features=n_features)


def _numeric(X: np.ndarray) -> np.ndarray:
    if X.dtype.kind == "c":
        raise ColumnError("Complex data not supported; pass the parts as they are to be seen")
    try:
        if X.dtype.kind == "O":
            X = np.asarray(X.tolist())  # Python's integers stay integers, and so stay 0..255
        # What is no number fails as it does in scikit-learn, a TypeError as one.
        return X if X.dtype.kind in "buif" else X.astype(np.float64)
    except ValueError as error:
        raise ColumnError(f"flattened images must be numbers: {error}") from error


def _image_stack(X: np.ndarray) -> Column:
    if X.ndim == 3 and _looks_like_one_image(X.shape):
        raise ColumnError(
            f"an array of shape {X.shape} looks like one image; pass [X] for it, or X[..., None] "
            f"for {X.shape[0]} grey images of {X.shape[1]}x{X.shape[2]} pixels"
        )
    if X.ndim == 4 and X.shape[3] not in CHANNELS and X.shape[1] in CHANNELS:
        raise ColumnError(
            f"an array of shape {X.shape} has its channels first; "
            "move them to the end, e.g. numpy.moveaxis(X, 1, -1)"
        )
    if X.ndim > 4 or (X.ndim == 4 and X.shape[3] not in CHANNELS):
        raise ColumnError(
            f"an array of shape {X.shape} is not a stack of images; "
            f"pass (n, H, W) or (n, H, W, C) with C one of {CHANNELS}"
        )
    return Column(_rows(X))


def _looks_like_one_image(shape: Shape) -> bool:
    return shape[2] in CHANNELS and min(shape[:2]) > max(CHANNELS)


def _rows(X: np.ndarray) -> Sequence[object]:
    # An array can all that is asked of a sequence here: a length, indices, slices, iteration.
    return cast("Sequence[object]", X)
