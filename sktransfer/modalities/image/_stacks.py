"""Arrays that hold one image per row: stacks (n, H, W[, C]) and flattened rows."""

from math import prod
from typing import Any

import numpy as np

from sktransfer.exceptions import ColumnError
from sktransfer.modalities.image._planes import CHANNELS, axes_problem

Shape = tuple[int, ...]


def images_of_array(X: np.ndarray, image_shape: Shape | None) -> tuple[Any, int] | None:
    """Return the images of an array and the values per image; None where X is a plain column.

    Parameters
    ----------
    X : ndarray of shape (n,), (n, k), (n, H, W) or (n, H, W, C)
        Any array but an empty one.
    image_shape : tuple of int, optional
        (H, W) or (H, W, C) of flattened rows (n, H * W * C).

    Raises
    ------
    ColumnError
        If the axes are arranged in another way, or bytes have been cut.
    """
    if X.dtype.kind == "S":
        raise ColumnError(
            f"an array of dtype {X.dtype} has lost the zeros at the end of its bytes; "
            "pass the list of bytes itself, or an array made with dtype=object"
        )
    numeric = X.dtype.kind in "buif"
    if X.ndim < 3 and image_shape is not None and (numeric or prod(X.shape[1:]) > 1):
        return _flattened(X.reshape(len(X), -1), image_shape)
    if X.ndim == 2 and numeric and X.shape[1] > 1:
        raise ColumnError(
            f"an array of shape {X.shape} is not a column of images. If its rows are flattened "
            f"images, set image_shape=(H, W) or (H, W, C) with H*W*C = {X.shape[1]}; if it is "
            "one image, pass [X]; a stack of images has the shape (n, H, W) or (n, H, W, C)"
        )
    return (_stack(X), 1) if X.ndim > 2 and numeric else None


def _flattened(X: np.ndarray, shape: Shape) -> tuple[Any, int]:
    are_sides = len(shape) in (2, 3) and min(shape) >= 1 and bool not in map(type, shape)
    if not are_sides or (len(shape) == 3 and shape[2] not in CHANNELS):
        raise ColumnError(
            f"image_shape={shape} is not (H, W) or (H, W, C) with C one of {CHANNELS}"
        )
    if X.shape[1] != prod(shape):
        raise ColumnError(
            f"X has {X.shape[1]} feature(s), but image_shape={shape} needs H*W*C = {prod(shape)}. "
            "Reshape your data: one flattened image per row."
        )
    return _numeric(X).reshape(-1, *shape), prod(shape)


def _numeric(X: np.ndarray) -> np.ndarray:
    try:
        if X.dtype.kind == "O":
            X = np.asarray(X.tolist())  # Python's integers stay integers, and so stay in 0..255
        # Other types fail as in scikit-learn, a TypeError as one; complex numbers as cells.
        return X if X.dtype.kind in "buifc" else X.astype(np.float64)
    except ValueError as error:
        raise ColumnError(f"flattened images must be numbers: {error}") from error


def _stack(X: np.ndarray) -> np.ndarray:
    if X.ndim == 3 and X.shape[2] in CHANNELS and min(X.shape[:2]) > max(CHANNELS):
        raise ColumnError(
            f"an array of shape {X.shape} looks like one image; pass [X] for it, or X[..., None] "
            f"for {X.shape[0]} grey images of {X.shape[1]}x{X.shape[2]} pixels"
        )
    accepted = f"a stack of images; pass (n, H, W) or (n, H, W, C) with C one of {CHANNELS}"
    if problem := axes_problem(X.shape, 1, accepted):
        raise ColumnError(problem)
    return X
