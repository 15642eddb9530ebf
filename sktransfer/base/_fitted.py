"""Models as they are if they are fitted, else clones that are."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted


def is_fitted(model: Any) -> bool:
    """Return whether a model is fitted, as `check_is_fitted` knows it."""
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


def fitted(model: Any, X: Any) -> Any:
    """Return a fitted model as it is, or a clone of another one that is fitted on X."""
    return model if is_fitted(model) else clone(model).fit(X)
