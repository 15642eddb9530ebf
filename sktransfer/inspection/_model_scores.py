"""What a fitted model says of rows, as one matrix: of classes, of labels or of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_outlier_detector, is_regressor
from sklearn.utils.validation import check_is_fitted

from sktransfer.exceptions import TargetError

# By which arrays and columns of any library become lists, and scalars of NumPy values.
_TO_LIST = ("tolist", "to_list", "to_pylist")
_METHODS = ("predict_proba", "decision_function", "predict")


class Scores(NamedTuple):
    """Scores of rows.

    Attributes
    ----------
    values : ndarray of shape (n, k)
        One column per class, label or predicted number.
    names : list or None
        Classes or labels; None of numbers.
    unit : str
        What the values are.
    """

    values: np.ndarray
    names: list[Any] | None
    unit: str


def scorer_of(model: Any) -> Callable[[Any], Scores]:
    """Return a function from rows to scores: to probabilities where the model has them.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it does not predict.
    """
    if hasattr(model, "fit") and not isinstance(model, type):
        check_is_fitted(model)
    method = next((name for name in _METHODS if hasattr(model, name)), None)
    if method is None or isinstance(model, type):
        raise TypeError(
            f"{model!r} does not predict; pass a fitted model with predict_proba, "
            "decision_function or predict, such as a Pipeline that ends with a classifier."
        )
    of = {"predict_proba": _probabilities, "decision_function": _decisions, "predict": _predictions}
    return lambda X: of[method](model, X)


def columns_of(scores: Scores, target: Any) -> np.ndarray:
    """Return the column of the scores to explain, for each of n rows.

    Parameters
    ----------
    scores : Scores
        Of the rows.
    target : object
        None for the highest of each row; else a name, or one per row.

    Raises
    ------
    TargetError
        If there is no such column.
    """
    n, k = scores.values.shape
    names = list(range(k)) if scores.names is None else scores.names
    if target is None:
        if scores.names is None and k > 1:
            raise TargetError(
                f"the model predicts {k} numbers per row; set target= to the position of one."
            )
        return np.nan_to_num(scores.values, nan=-np.inf).argmax(axis=1)
    way = next((name for name in _TO_LIST if hasattr(target, name)), None)
    target = target if way is None else getattr(target, way)()
    targets = list(target) if isinstance(target, list | tuple) else [target] * n
    if len(targets) != n:
        raise TargetError(f"target has {len(targets)} entries, and X has {n} rows.")
    places = {name: place for place, name in enumerate(names)}
    return np.array([_place(places, one) for one in targets])


def _place(places: dict[Any, int], target: Any) -> int:
    from sktransfer.training.targets import short

    try:
        return places[target]
    except (KeyError, TypeError):
        raise TargetError(
            f"target={target!r} is none of what the model predicts: {short([*places])}."
        ) from None


def _probabilities(model: Any, X: Any) -> Scores:
    found = model.predict_proba(X)
    if isinstance(found, list):  # of each label of several, absent and present
        if any(np.shape(part)[1] > 2 for part in found):
            raise TargetError(
                "the model predicts several classes per row; explain each of its estimators_ alone."
            )
        found = np.stack([*map(_of_label, found, model.classes_)], axis=1)
        return Scores(_matrix(model, found), list(range(found.shape[1])), "probability")
    found = _matrix(model, found)
    return Scores(found, _names(model, found.shape[1]), "probability")


def _of_label(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the probability of a label; of one that all rows of the fit have, or none, 1 or 0."""
    if probabilities.shape[1] == 2:
        return probabilities[:, 1]
    return np.full(len(probabilities), float(bool(classes[0])))


def _decisions(model: Any, X: Any) -> Scores:
    found = _matrix(model, model.decision_function(X))
    if is_outlier_detector(model) or not hasattr(model, "classes_"):
        return Scores(found, None, "score")
    if found.shape[1] == 1:
        found = np.hstack([-found, found])
    if found.shape[1] != len(model.classes_):  # one column per pair of classes
        return _predictions(model, X)
    return Scores(found, _names(model, found.shape[1]), "score")


def _predictions(model: Any, X: Any) -> Scores:
    found = np.asarray(model.predict(X))
    if not hasattr(model, "classes_") or is_regressor(model):
        return Scores(_matrix(model, found), None, "prediction")
    if found.ndim == 2:
        return Scores(_matrix(model, found), list(range(found.shape[1])), "prediction")
    names = _names(model, len(model.classes_))
    return Scores((found[:, None] == np.asarray(model.classes_)).astype(float), names, "prediction")


def _names(model: Any, k: int) -> list[Any]:
    """Return the classes as values of Python; positions if there are none that fit."""
    classes = getattr(model, "classes_", None)
    if classes is None or len(classes) != k or np.ndim(classes) != 1:
        return list(range(k))
    return np.asarray(classes).tolist()


def _matrix(model: Any, values: Any) -> np.ndarray:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(())
    if found.ndim == 1:
        found = found[:, np.newaxis]
    if found.ndim != 2:
        raise TypeError(
            f"{type(model).__name__} does not predict one class, label or number per row; "
            "explain takes classifiers and regressors."
        )
    return found
