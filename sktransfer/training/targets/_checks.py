"""Checks of y as users write it: its kind, and what cannot be learned."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from sktransfer.columns import is_missing
from sktransfer.exceptions import TargetError

_SHAPES = (
    "One class per row is a vector. Any number of labels per row is a matrix of zeros and ones "
    "with a column per label, as sklearn.preprocessing.MultiLabelBinarizer makes it of lists. For "
    "a class in each of several columns use sklearn.multioutput.MultiOutputClassifier."
)


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
    _refuse_mixed(labels)
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
    infinite = np.flatnonzero(~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1))
    if len(infinite):
        row = infinite[0]
        raise TargetError(
            f"row {row} of y: {numbers[row].tolist()!r} cannot be learned. Input y contains "
            "infinity."
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
    if values.ndim not in (1, 2) or not values.size:  # other errors say so
        return
    for row, cells in enumerate(values.reshape(len(values), -1)):
        for cell in cells:
            if not isinstance(cell, str) and is_missing(cell):  # "" may be a class
                raise TargetError(f"row {row} of {name}: {cell!r} {reason}")


def short(values: Any) -> str:
    """Return the first of many values, for a message."""
    return reprlib.repr(np.asarray(values).tolist())


def _refuse_mixed(labels: np.ndarray) -> None:
    try:
        np.unique(labels)
    except TypeError as error:
        kinds = " and ".join(sorted({type(label).__name__ for label in labels}))
        raise TargetError(
            f"y has classes of type {kinds}, which have no common order: convert them to one type."
        ) from error


def _refuse_objects(labels: np.ndarray) -> None:
    """Raise `TargetError` for classes that scikit-learn's scores do not take either."""
    if labels.dtype != object or isinstance(labels[0], (str, bytes)):
        return
    how = "Convert it to an array of strings or of integers."
    if isinstance(labels[0], (list, tuple, set, frozenset)):
        how = _SHAPES
    raise TargetError(
        "Unknown label type: y is an array of Python objects of type "
        f"{type(labels[0]).__name__}. {how}"
    )
