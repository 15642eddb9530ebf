"""Checks of y as users write it: its kind, and what cannot be learned."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from sktransfer.columns import is_missing
from sktransfer.exceptions import TargetError

_SHAPES = (
    "One class per row is a vector. Any number of labels per row is a matrix of zeros and ones "
    "with a column per label, as sklearn.preprocessing.MultiLabelBinarizer makes it of lists. For "
    "a class in each of several columns use sklearn.multioutput.MultiOutputClassifier."
)


# The squares of larger numbers may be too large for float64.
_LARGEST = 1e150

# What NumPy has of torch's floating point types; others are shorter, and exact in float32.
_FLOATS = (torch.float16, torch.float32, torch.float64)


def as_numpy(y: Any) -> Any:
    """Return a tensor, or an array of another library, as a NumPy array; anything else as it is.

    With ``array_api_dispatch=True``, scikit-learn would check and weight tensors as such.

    Raises
    ------
    TargetError
        If a tensor is sparse or nested, or has no values.
    """
    if isinstance(y, (list, tuple)) and any(map(torch.is_tensor, y)):
        return [as_numpy(value) for value in y]
    if torch.is_tensor(y):
        is_short = y.is_floating_point() and y.dtype not in _FLOATS
        try:
            return (y.float() if is_short else y).numpy(force=True)
        except Exception as error:
            raise TargetError(
                f"a tensor of {y.dtype} passed to fit cannot be read ({error}); pass an array."
            ) from error
    is_foreign = hasattr(y, "__array_namespace__") and not isinstance(y, np.ndarray)
    return np.asarray(y) if is_foreign else y


def is_label_matrix(y: Any) -> bool:
    """Return whether y is a matrix of zeros and ones, and not a vector of classes."""
    refuse_missing(y, "is no class.")
    return as_matrix(y).ndim > 1 and type_of_target(y, input_name="y") == "multilabel-indicator"


def as_labels(y: Any, *, warn: bool = False) -> np.ndarray:
    """Return class labels as a vector; with `warn`, warn of a column and of many classes."""
    refuse_missing(y, "is no class.")
    values = as_matrix(y)
    if values.ndim == 2 and values.shape[1] > 1:
        raise TargetError(
            f"y, of shape {values.shape} and type {values.dtype}, is no matrix of zeros and ones. "
            f"{_SHAPES}"
        )
    labels = column_or_1d(y, warn=warn)
    _refuse_objects(labels)
    if warn or type_of_target(labels, input_name="y") not in ("binary", "multiclass"):
        check_classification_targets(labels)
    return labels


def as_numbers(y: Any) -> np.ndarray:
    """Return numbers (n,) or (n, k), float64."""
    refuse_missing(y, "is no number. Input y contains NaN.")
    numbers = check_array(
        y, ensure_2d=False, dtype=np.float64, ensure_all_finite=False, input_name="y"
    )
    columns = numbers.reshape(len(numbers), -1)
    for row in np.flatnonzero((np.abs(columns) > _LARGEST).any(axis=1)):
        raise TargetError(
            f"row {row} of y: {numbers[row].tolist()!r} cannot be learned. Input y contains "
            "infinity, or a number that is too large: divide y by its size."
        )
    return numbers


def as_matrix(y: Any) -> np.ndarray:
    """Return a dense array of any number of axes."""
    if hasattr(y, "toarray"):
        return np.asarray(y.toarray())
    try:
        return np.asarray(y)
    except ValueError as error:  # lists of different lengths
        raise TargetError(f"y holds rows of different lengths. {_SHAPES}") from error


def refuse_missing(y: Any, reason: str, name: str = "y") -> None:
    """Raise `TargetError` for a missing value of y, naming its row."""
    values = np.asarray(y, dtype=object)
    if isinstance(y, np.ma.MaskedArray):
        values = values.copy()
        values[np.ma.getmaskarray(y)] = None
    if values.ndim not in (1, 2) or not values.size:  # other errors say so
        return
    for row, cells in enumerate(values.reshape(len(values), -1)):
        for cell in cells:
            if not isinstance(cell, str) and is_missing(cell):  # "" may be a class
                raise TargetError(f"row {row} of {name}: {cell!r} {reason}")


def short(values: Any) -> str:
    """Return the first of many values, for a message."""
    return reprlib.repr(np.asarray(values).tolist())


def _refuse_objects(labels: np.ndarray) -> None:
    """Raise `TargetError` for classes that scikit-learn's scores do not take either."""
    if labels.dtype != object:
        return
    kinds = " and ".join(sorted({type(label).__name__ for label in labels}))
    try:
        np.unique(labels)
    except TypeError as error:
        raise TargetError(
            f"y has classes of type {kinds}, which have no common order: convert them to one type."
        ) from error
    if not isinstance(labels[0], (str, bytes)):
        is_several = isinstance(labels[0], (list, tuple, set, frozenset))
        how = _SHAPES if is_several else "Convert it to an array of strings or of integers."
        raise TargetError(f"Unknown label type: y has Python objects of type {kinds}. {how}")
