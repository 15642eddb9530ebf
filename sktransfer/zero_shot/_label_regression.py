"""A linear classifier of unit vectors that starts from a vector per class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

# Median and spread of the prior of the logarithm of the temperature. On news, messages and
# questions the best ones were .25 to .65, for 1 to 16 labelled rows per class.
_USUAL, _SPREAD = 0.4, 0.5
_FOLDS = 20


class Linear(NamedTuple):
    """Scores of classes that are linear in the features of a row.

    Attributes
    ----------
    coef : ndarray of shape (k, d)
        Weights per class.
    intercept : ndarray of shape (k,)
        Score of a row of zeros.
    """

    coef: np.ndarray
    intercept: np.ndarray

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Return the score of each class per row (n, k)."""
        return rows @ self.coef.T + self.intercept


def fit_linear(
    rows: np.ndarray, y: np.ndarray, labels: np.ndarray, *, label_weight: float, C: float
) -> Linear:
    """Fit a logistic regression to labelled rows and one row per class, its label's vector.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Features of the labelled rows.
    y : ndarray of shape (n,), int
        Number of each row's class.
    labels : ndarray of shape (k, d)
        Vector of each class's label.
    label_weight : float
        Weight of a label, where a row has weight 1.
    C : float
        As that of `LogisticRegression`.
    """
    k = len(labels)
    weights = np.r_[np.ones(len(rows)), np.full(k, label_weight)]
    model = LogisticRegression(C=C, max_iter=1_000)
    model.fit(np.r_[rows, labels], np.r_[y, range(k)], sample_weight=weights)
    coef, intercept = model.coef_, model.intercept_
    if k == 2:  # scikit-learn has the difference of the two
        coef, intercept = np.r_[-coef, coef] / 2, np.r_[-intercept, intercept] / 2
    return Linear(coef, intercept)


def fit_temperature(
    rows: np.ndarray, y: np.ndarray, labels: np.ndarray, *, label_weight: float, C: float
) -> float:
    """Return the temperature at which rows that were left out have the smallest log loss.

    Rows are left out one by one, or in twentieths. Few rows say little of a temperature, so the
    usual one has a log-normal prior; a row that is the only one of its class says nothing.
    """
    telling = np.flatnonzero(np.bincount(y)[y] > 1)
    if not len(telling):
        return _USUAL
    scores = np.empty((len(rows), len(labels)))
    for train, test in KFold(min(len(rows), _FOLDS), shuffle=True, random_state=0).split(rows):
        model = fit_linear(rows[train], y[train], labels, label_weight=label_weight, C=C)
        scores[test] = model.scores(rows[test])

    def loss(logarithm: float) -> float:
        likelihoods = log_softmax(scores / np.exp(logarithm), axis=1)[telling, y[telling]]
        return ((logarithm - np.log(_USUAL)) / _SPREAD) ** 2 / 2 - likelihoods.sum()

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))
