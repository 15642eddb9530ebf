"""How much each block of features says of the target: its weight beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import type_of_target

# Fewer rows say nothing of how well a block predicts.
_FEWEST_ROWS = 20
# Numbers of a block that are looked at; of wide blocks, and for many classes, some rows.
_MOST_VALUES, _ROWS = 1_000_000, 1_000
# Of more classes, the most frequent; more integers are numbers.
_MOST_CLASSES = 50
_ALPHAS = np.logspace(-2, 3, 6).tolist()
# About the penalty of Ridge() and LogisticRegression().
_USUAL_ALPHA = [3.0]
# A block is weak with less than this share of the greatest R².
_WEAK = 0.1
# Weight of a block that predicts all of the target. 3, 4 and 5 give LogisticRegression() .734, .738
# and .736 on the icons of `benchmarks.tables`, .784, .784 and .783 on the titanic, and .736, .738
# and .734 on films; weights relative to the best block .738, .779 and .720.
_MOST_WEIGHT = 4.0
#: Weight of all blocks without a target.
EQUAL_WEIGHT = 3.0
#: Weight of a block that predicts nothing by itself. Not 0: trees do not depend on scales.
LEAST_WEIGHT = 0.1


def weights_of(parts: Sequence[np.ndarray], y: Any) -> list[float]:
    """Return the weight of each block: 4 times the root of its R².

    R² is that of a ridge regression of the target on the block alone, for rows left out one by
    one (by the closed form of `RidgeCV`). It is about 0 or less for a useless column, and the
    weaker a block, the stronger is the penalty of a model on it. A block may be weak alone and
    strong beside others, as the price of a competitor is beside the own price: of weak blocks, it
    is the greater of this R² and the share of the target's variance that the block explains of
    what the other blocks do not. Where all blocks together predict better with equal weights, these
    are returned: many weak columns may be strong together.

    Parameters
    ----------
    parts : sequence of ndarray of shape (n, d)
        Features of a total variance of 1.
    y : array-like of n targets, or None
        Without targets, or with too few, all weights are `EQUAL_WEIGHT`; also if no block predicts
        them.
    """
    targets = _targets(y, len(parts[0])) if parts else None
    scores = np.zeros(len(parts))
    if targets is not None:
        scores = np.clip([_score(part, targets) for part in parts], 0, 1)
        scores = np.maximum(scores, _scores_beside(parts, targets, scores))
    equal = np.full(len(parts), EQUAL_WEIGHT)
    if targets is None or not scores.any():
        return equal.tolist()
    found = np.maximum(_MOST_WEIGHT * np.sqrt(scores), LEAST_WEIGHT)
    rows = _some_rows(targets, sum(part.shape[1] for part in parts))

    def score(weights: np.ndarray) -> float:
        return _score(_joined(parts, weights, rows), targets[rows], _USUAL_ALPHA)

    return max(found, equal, key=score).tolist()


def _targets(y: Any, n: int) -> np.ndarray | None:
    """Return targets as columns of mean 0, one per class; None if they cannot be used."""
    if y is None or n < _FEWEST_ROWS:
        return None
    check_consistent_length(y, np.empty(n))
    kind = type_of_target(y, input_name="y")
    if kind in ("binary", "multiclass"):
        found = _indicators(np.ravel(np.asarray(y)))
    elif kind in ("continuous", "continuous-multioutput", "multilabel-indicator"):
        found = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y").reshape(n, -1)
    else:
        return None
    found = found / max(np.abs(found).max(), np.finfo(np.float64).tiny)  # squares must not overflow
    found = found - found.mean(axis=0)
    return found if found.any() else None


def _indicators(y: np.ndarray) -> np.ndarray:
    """Return a column per class; of many different integers they themselves."""
    labels, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if y.dtype.kind in "iuf" and len(labels) > _MOST_CLASSES:
        return y.astype(np.float64)[:, np.newaxis]
    some = np.argsort(-counts, kind="stable")[:_MOST_CLASSES]
    return (codes[:, np.newaxis] == some).astype(np.float64)


def _scores_beside(
    parts: Sequence[np.ndarray], targets: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """Return which share of the targets weak blocks explain beside the others; of others, 0."""
    found = np.zeros(len(parts))
    is_weak = scores < _WEAK * scores.max()
    if is_weak.any():
        others = [part for part, is_one in zip(parts, is_weak, strict=True) if not is_one]
        rows = _some_rows(targets, sum(part.shape[1] for part in others))
        rest = _errors(_joined(others, np.sqrt(scores[~is_weak]), rows), targets[rows])
        share = rest.var() / targets[rows].var()
        weak = np.flatnonzero(is_weak).tolist()
        found[is_weak] = [share * _score(parts[n][rows], rest) for n in weak]
    return np.clip(found, 0, 1)


def _joined(parts: Sequence[np.ndarray], weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.hstack([w * part[rows] for w, part in zip(weights, parts, strict=True)])


def _score(part: np.ndarray, targets: np.ndarray, alphas: Sequence[float] = _ALPHAS) -> float:
    rows = _some_rows(targets, part.shape[1])
    X, Y = part[rows], targets[rows]
    total = Y.var(axis=0).mean()
    return 1 - (_errors(X, Y, alphas) ** 2).mean() / total if X.any() and total else 0.0


def _errors(X: np.ndarray, Y: np.ndarray, alphas: Sequence[float] = _ALPHAS) -> np.ndarray:
    """Return the errors of a ridge regression in rows left out one by one."""
    Y = Y - Y.mean(axis=0)  # predictions are of such
    ridge = RidgeCV(alphas=alphas, scoring="neg_mean_squared_error", store_cv_results=True)
    predictions = ridge.fit(X.astype(np.float64), Y).cv_results_
    best = [*alphas].index(ridge.alpha_)
    return Y - predictions.reshape(*Y.shape, len(alphas))[..., best]


def _some_rows(targets: np.ndarray, width: int) -> np.ndarray:
    """Return rows in which neither features nor the predictions by all penalties are too many."""
    n, k = targets.shape
    most = max(_ROWS, _MOST_VALUES // max(width, k * len(_ALPHAS)))
    return np.unique(np.linspace(0, n - 1, min(most, n)).astype(int))
