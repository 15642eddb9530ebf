"""Scores of features for a target: leave-one-out ridge, and LogME."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import label_binarize

from sktransfer.inspection._spectrum import Spectrum

# Strengths of the regularization, for standardized features.
_ALPHAS = np.logspace(0, 6, 13)
# Rounds and tolerance of LogME's fixed point.
_ROUNDS, _TOLERANCE = 100, 1e-5


class Score(NamedTuple):
    """A score, and its standard error over rows."""

    value: float
    error: float


def one_hot(y: np.ndarray) -> np.ndarray:
    """Return classes as a column of 0 and 1 each; two classes as one column."""
    return label_binarize(y, classes=np.unique(y)).astype(np.float64)


def ridge_score(spectrum: Spectrum, y: np.ndarray, kind: str) -> Score:
    """Return the leave-one-out score of ridge regression, with the best regularization.

    Parameters
    ----------
    spectrum : Spectrum
        Of the features.
    y : ndarray of shape (n, k)
        Values, or 0 and 1.
    kind : {"classes", "labels", "values"}
        What the columns of `y` are, by which the score is accuracy, the mean accuracy over
        labels, or the mean R² over columns.
    """
    targets = y if kind == "values" else 2 * y - 1
    best = min(
        leave_one_out(spectrum, targets, _ALPHAS), key=lambda found: np.mean((found - targets) ** 2)
    )
    if kind == "values":
        return _r2(y, best)
    if kind == "classes" and y.shape[1] > 1:
        hits = best.argmax(axis=1) == y.argmax(axis=1)
    else:
        hits = ((best > 0) == y).mean(axis=1)
    return Score(float(hits.mean()), float(hits.std() / np.sqrt(len(y))))


def leave_one_out(spectrum: Spectrum, y: np.ndarray, alphas: np.ndarray) -> Iterator[np.ndarray]:
    """Yield what ridge regression predicts of each row when it is fitted on all others.

    Parameters
    ----------
    spectrum : Spectrum
        Of the features.
    y : ndarray of shape (n, k)
        Targets.
    alphas : ndarray
        Strengths of the regularization.

    Yields
    ------
    ndarray of shape (n, k)
    """
    values, vectors = spectrum
    centred = y - y.mean(axis=0)
    turned = vectors.T @ centred
    squares = vectors**2
    for alpha in alphas:
        shrunk = values / (values + alpha)
        residual = centred - vectors @ (shrunk[:, None] * turned)
        leverage = squares @ shrunk + 1 / len(y)
        yield y - residual / np.maximum(1 - leverage, 1e-10)[:, None]


def _r2(y: np.ndarray, predicted: np.ndarray) -> Score:
    errors, spread = (y - predicted) ** 2, (y - y.mean(axis=0)) ** 2
    r2 = 1 - errors.sum(axis=0) / spread.sum(axis=0)
    # The influence of each row on the mean R² over columns.
    influence = ((1 - r2) * spread - errors) / spread.mean(axis=0)
    return Score(float(r2.mean()), float(influence.mean(axis=1).std() / np.sqrt(len(y))))


def logme_score(spectrum: Spectrum, y: np.ndarray, kind: str) -> Score:
    """Return the maximum log evidence of a linear model per row, the mean over columns of `y`."""
    return Score(float(np.mean([log_evidence(spectrum, column) for column in y.T])), np.nan)


def log_evidence(spectrum: Spectrum, y: np.ndarray) -> float:
    """Return the log evidence per row, at its maximum over both precisions, of You et al. (2021).

    Parameters
    ----------
    spectrum : Spectrum
        Of the features.
    y : ndarray of shape (n,)
        Targets.
    """
    values, vectors = spectrum
    n = len(y)
    along = (vectors.T @ y) ** 2
    beside = max(y @ y - along.sum(), 0.0)
    alpha = beta = 1.0
    for _ in range(_ROUNDS):
        before, shrunk = alpha / beta, values / (values + alpha / beta)
        weights = (along * shrunk**2 / values).sum()
        residual = (along * (1 - shrunk) ** 2).sum() + beside
        alpha, beta = shrunk.sum() / weights, (n - shrunk.sum()) / residual
        if abs(alpha / beta - before) < _TOLERANCE * before:
            break
    evidence = n * np.log(beta / (2 * np.pi)) - np.log1p(beta / alpha * values).sum()
    return (evidence - beta * residual - alpha * weights) / (2 * n)
