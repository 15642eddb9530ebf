"""Checks of the numbers that compiled code uses without a check of its own.

A wrong one would let it read or write outside of its arrays, and so crash the process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from scipy.interpolate import BSpline
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.svm._base import BaseLibSVM

from sktransfer.exceptions import PersistenceError
from sktransfer.persistence._skops import Node, to_bytes, walk

# An axis may exceed the number of bytes by this much: one of length 0 can hide any other.
_AXIS_MARGIN = 1 << 16
_STATE_WORDS = 624  # of the Mersenne Twister


def check_numbers(root: Node) -> None:
    """Refuse constructed objects that would make compiled code leave its arrays.

    Raises
    ------
    PersistenceError
        With the place of the first one.
    """
    for place, node in walk(root):
        try:
            _check(node.construct())
        except Exception as error:  # whatever a wrong number leads to
            reason = str(error) or type(error).__name__
            raise PersistenceError(f"{place[:200] or 'the root'!r} is damaged: {reason}") from error


def has_sound_boosting(root: Node) -> bool:
    """Return whether no tree of histogram boosting can lead out of its arrays."""
    kinds = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    values = [node.construct() for _, node in walk(root)]
    try:
        return all(_is_sound_boosting(value) for value in values if isinstance(value, kinds))
    except Exception:  # whatever a wrong number leads to
        return False


def has_unchecked_boosting(root: Node) -> bool:
    """Return whether histogram boosting has categories or warm_start, by its nodes alone."""
    kinds = (HistGradientBoostingClassifier.__name__, HistGradientBoostingRegressor.__name__)
    for _, node in walk(root):
        if node.class_name in kinds and hasattr(node, "attrs"):
            settings = getattr(node.attrs, "content", {})
            expected = {"_preprocessor": "null", "warm_start": "false"}
            if any(getattr(settings.get(n), "content", "") != text for n, text in expected.items()):
                return "_predictors" in settings
    return False


def _check(value: Any) -> None:
    if isinstance(value, np.ndarray):
        if max(value.shape, default=0) > value.nbytes + _AXIS_MARGIN:
            raise ValueError(f"an array of shape {value.shape} does not have {value.nbytes} bytes")
    elif isinstance(value, np.random.RandomState):
        state: Any = value.get_state(legacy=False)
        if not 0 <= state["state"]["pos"] <= _STATE_WORDS:
            raise ValueError("it is no state of numpy.random.RandomState(seed)")
    elif scipy.sparse.issparse(value) and hasattr(value, "check_format"):
        value.check_format(full_check=True)
    elif isinstance(value, BaseLibSVM) and "support_vectors_" in vars(value):
        _check_support_vectors(value)
    elif isinstance(value, BSpline):
        _check_spline(value)


def _check_support_vectors(model: Any) -> None:
    if model._sparse is not False:
        raise ValueError("a support vector machine of a sparse matrix cannot be checked")
    count, classes = len(model.support_), max(2, len(model._n_support))
    pairs = classes * (classes - 1) // 2
    n_vectors = len(model.support_vectors_)
    if model.kernel == "precomputed" or callable(model.kernel):  # which have columns for vectors
        is_column = (model.support_ >= 0) & (model.support_ < model.shape_fit_[0])
        n_vectors = int(is_column.sum())
    fits = (
        model._dual_coef_.shape == (classes - 1, count)
        and model._intercept_.shape == (pairs,)
        and model.n_support_.min() >= 0
        and model.n_support_.sum() == n_vectors == count
    )
    if not fits:
        raise ValueError("the arrays of a support vector machine do not fit together")


def _check_spline(spline: BSpline) -> None:
    state = vars(spline)
    knots, values = (state.get(f"_{name}", state.get(name)) for name in "tc")
    values = np.moveaxis(values, 0, state["axis"])
    # Which checks them, unlike what is constructed from a file.
    again = vars(BSpline(knots, values, state["k"], state["extrapolate"], state["axis"]))
    if to_bytes(dict(sorted(again.items()))) != to_bytes(dict(sorted(state.items()))):
        raise ValueError("the attributes of a spline do not fit together")


def _is_sound_boosting(model: Any) -> bool:
    """Return whether all trees of a model stay within their nodes and the model's features.

    Only `n_features_in_` is compared with the columns of X, and only where nothing encodes
    categories before. A fit that goes on from the trees compares nothing.
    """
    attributes = vars(model)
    if "_predictors" not in attributes:
        return True
    restarts = model.warm_start is False and "_in_fit" not in attributes
    hides_methods = any(callable(getattr(type(model), name, None)) for name in attributes)
    n_features = model.n_features_in_
    trees = [tree for round_ in model._predictors for tree in round_]
    is_plain = model._preprocessor is None and restarts and not hides_methods
    return is_plain and all(_is_sound_tree(tree.nodes, n_features) for tree in trees)


def _is_sound_tree(nodes: Any, n_features: int) -> bool:
    """Return whether nodes form one tree, whose children follow their parents."""
    if type(nodes) is not np.ndarray or nodes.dtype != PREDICTOR_RECORD_DTYPE:
        return False
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    left, right, feature = (nodes[name][inner] for name in ("left", "right", "feature_idx"))
    children = np.sort(np.concatenate([left, right]))
    return bool(
        nodes.ndim == 1
        and len(nodes)
        and type(n_features) is int
        and np.array_equal(children, np.arange(1, len(nodes)))
        and (np.minimum(left, right) > inner).all()
        and ((feature >= 0) & (feature < n_features)).all()
        and not nodes["is_categorical"].any()
    )
