"""Vectors of items from their features alone, for items that nobody has liked."""

from __future__ import annotations

import numpy as np
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel

from sktransfer.recommend._towers import Weights

# Items that the regression is fitted to: its time grows with the cube of their number.
_MAX_ITEMS = 4000
# Penalty of the regression, in likes of an item.
_PENALTY = 1.0
# Items whose vectors are computed at a time.
_BLOCK = 1024


def fit_content(features: np.ndarray, vectors: np.ndarray, likes: np.ndarray) -> Weights:
    """Fit a kernel ridge regression of the vectors of items on their features.

    A vector says more, the more likes it was learned from: items are weighted by their likes, and
    of more than 4,000 those with the most are used.

    Parameters
    ----------
    features, vectors : ndarray of shape (items, ...)
        Those of items without likes are not used.
    likes : ndarray of int, shape (items,)
        Number of likes of each item.

    Returns
    -------
    dict of ndarray
        What `content_vectors` takes.
    """
    most = np.argsort(-likes, kind="stable")[:_MAX_ITEMS]
    most = most[likes[most] > 0]
    features, vectors, likes = features[most], vectors[most], likes[most]
    mean = np.average(vectors, axis=0, weights=likes)
    gamma = 1 / (float(features.var(axis=0).sum()) or 1.0)
    ridge = KernelRidge(alpha=_PENALTY, kernel="rbf", gamma=gamma)
    ridge.fit(features, vectors - mean, sample_weight=likes)
    return {
        "features": features,
        "gamma": np.array(gamma),
        "coefficients": ridge.dual_coef_.astype(np.float32),
        "mean": mean.astype(np.float32),
    }


def content_vectors(weights: Weights, features: np.ndarray) -> np.ndarray:
    """Return the vectors of items, NaN where features are not finite."""
    found = np.full((len(features), len(weights["mean"])), np.nan, dtype=np.float32)
    good = np.flatnonzero(np.isfinite(features).all(axis=1))
    for start in range(0, len(good), _BLOCK):
        rows = good[start : start + _BLOCK]
        kernel = rbf_kernel(features[rows], weights["features"], float(weights["gamma"]))
        found[rows] = kernel @ weights["coefficients"] + weights["mean"]
    return found
