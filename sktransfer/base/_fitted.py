"""Models as they are if they are fitted, else clones that are; and what they give in a fit."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted


def is_fitted(model: Any) -> bool:
    """Return whether a model is fitted, as `check_is_fitted` knows it."""
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


def fitted(model: Any, X: Any) -> Any:
    """Return a fitted model as it is, or a clone of another one that is fitted on X.

    Raises
    ------
    NotFittedError
        If it is not fitted, and cannot be without targets.
    """
    if is_fitted(model):
        return model
    if get_tags(model).target_tags.required:
        raise NotFittedError(f"{type(model).__name__} learns from targets; pass it fitted.")
    return clone(model).fit(X)


def fit_transform(transformer: Any, X: Any, y: Any) -> Any:
    """Return what a transformer gives for the rows that it is fitted on."""
    if hasattr(transformer, "fit_transform"):  # a FrozenEstimator has none
        return transformer.fit_transform(X, y)
    return transformer.fit(X, y).transform(X)
