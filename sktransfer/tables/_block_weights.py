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
# Numbers of a block that are looked at; of wide blocks some rows.
_MOST_VALUES, _ROWS = 1_000_000, 1_000
# Of more classes, the most frequent; more integers are numbers.
_MOST_CLASSES = 50
_ALPHAS = np.logspace(-2, 3, 6)
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
    weaker a block, the stronger is the penalty of a model on it.

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
    if not scores.any():
        return [EQUAL_WEIGHT] * len(parts)
    return np.maximum(_MOST_WEIGHT * np.sqrt(scores), LEAST_WEIGHT).tolist()


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


def _score(part: np.ndarray, targets: np.ndarray) -> float:
    most = max(_ROWS, _MOST_VALUES // max(1, part.shape[1]))
    rows = np.unique(np.linspace(0, len(part) - 1, min(most, len(part))).astype(int))
    X, Y = part[rows].astype(np.float64), targets[rows]
    total = (Y**2).mean()
    if not X.any() or not total:
        return 0.0
    return 1 + RidgeCV(alphas=_ALPHAS).fit(X, Y).best_score_ / total
