"""Scores of features for a target: leave-one-out ridge, and LogME."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import label_binarize
from sklearn.utils import gen_batches

from sktransfer.exceptions import TargetError
from sktransfer.inspection._spectrum import CHUNK, Spectrum, spectrum

# Strengths of the regularization, for standardized features.
_ALPHAS = np.logspace(-1, 6, 15)
# Numbers that are divided by are at least this large: a row may determine its own prediction, and
# many features may fit all targets.
_LEAST = 1e-10
# Rounds and tolerance of LogME's fixed point.
_ROUNDS, _TOLERANCE = 100, 1e-5


class Score(NamedTuple):
    """A score, its standard error over rows, and the number of rows that it is of."""

    value: float
    error: float
    n_rows: int


def ranking_target(y: Any, task: str) -> tuple[np.ndarray, str]:
    """Return the targets to predict, one column each, and their kind.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, k)
        As users pass it.
    task : {"auto", "classification", "regression"}
        What it is.

    Returns
    -------
    targets : ndarray of shape (n, k)
        0 and 1 per class or label, of two classes one column; or values.
    kind : {"classes", "labels", "values"}

    Raises
    ------
    TargetError
        If they cannot be learned.
    """
    from sktransfer.training import targets as checks

    if task not in _TASKS:
        raise ValueError(f"task={task!r} is none of {', '.join(map(repr, _TASKS))}.")
    y = checks.as_numpy(y)
    if task == "regression" or (task == "auto" and _has_fractions(y)):
        values = checks.as_numbers(y)
        return varying(values.reshape(len(values), -1), "values"), "values"
    if checks.is_label_matrix(y):
        return varying(checks.as_matrix(y).astype(np.float64), "labels"), "labels"
    labels = checks.as_labels(y)
    return varying(label_binarize(labels, classes=np.unique(labels)), "classes"), "classes"


def _has_fractions(y: Any) -> bool:
    values = np.asarray(y)
    return values.dtype.kind == "f" and bool((values != np.floor(values)).any())


def varying(targets: np.ndarray, noun: str) -> np.ndarray:
    """Return targets without columns that are the same in all rows."""
    kept = targets[:, np.ptp(targets, axis=0) > 0] if len(targets) else targets[:, :0]
    if not kept.shape[1]:
        raise TargetError(f"y must have two different {noun} at least, in {len(targets)} rows.")
    return kept.astype(np.float64)


def ridge_score(features: Spectrum, y: np.ndarray, kind: str) -> Score:
    """Return the leave-one-out score of ridge regression, with the best regularization.

    Parameters
    ----------
    features : Spectrum
        The features.
    y : ndarray of shape (n, k)
        Values, or 0 and 1.
    kind : {"classes", "labels", "values"}
        What the columns of `y` are, by which the score is accuracy, the mean accuracy over
        labels, or the mean R² over columns.
    """
    if kind == "values":  # squares of very small numbers would be 0
        y = y / np.abs(y).max(axis=0)
    scale = y.std(axis=0) if kind == "values" else np.full(y.shape[1], 0.5)
    targets = y / scale
    found = leave_one_out(features, targets, _ALPHAS)
    best = min(found, key=lambda predicted: np.mean((predicted - targets) ** 2))
    if kind == "values":
        return _r2(targets, best)
    if kind == "classes" and y.shape[1] > 1:
        hits = best.argmax(axis=1) == y.argmax(axis=1)
    else:
        hits = ((best > 1) == y).mean(axis=1)
    return Score(float(hits.mean()), float(hits.std() / np.sqrt(len(y))), len(y))


def leave_one_out(features: Spectrum, y: np.ndarray, alphas: np.ndarray) -> Iterator[np.ndarray]:
    """Yield what ridge regression predicts of each row when it is fitted on all others.

    Parameters
    ----------
    features : Spectrum
        The features.
    y : ndarray of shape (n, k)
        Targets.
    alphas : ndarray
        Strengths of the regularization.

    Yields
    ------
    ndarray of shape (n, k)
    """
    values, vectors = features
    shrunk = values[:, None] / (values[:, None] + alphas)
    parts = gen_batches(len(y), CHUNK)
    leverages = np.concatenate([vectors[rows] ** 2 @ shrunk for rows in parts]) + 1 / len(y)
    centred = y - y.mean(axis=0)
    turned = vectors.T @ centred
    for weights, leverage in zip(shrunk.T, leverages.T, strict=True):
        residual = centred - vectors @ (weights[:, None] * turned)
        yield y - residual / np.maximum(1 - leverage, _LEAST)[:, None]


def _r2(y: np.ndarray, predicted: np.ndarray) -> Score:
    errors, spread = (y - predicted) ** 2, (y - y.mean(axis=0)) ** 2
    r2 = 1 - errors.sum(axis=0) / spread.sum(axis=0)
    # The influence of each row on the mean R² over columns.
    influence = ((1 - r2) * spread - errors) / spread.mean(axis=0)
    error = influence.mean(axis=1).std() / np.sqrt(len(y))
    return Score(float(r2.mean()), float(error), len(y))


def logme_score(features: Spectrum, y: np.ndarray, kind: str) -> Score:
    """Return the log evidence per row, the mean over the columns of `y`, which are centred."""
    centred = y - y.mean(axis=0)
    evidence = np.mean([log_evidence(features, column) for column in centred.T])
    return Score(float(evidence), np.nan, len(y))


def log_evidence(features: Spectrum, y: np.ndarray) -> float:
    """Return the log evidence of a linear model per row, at its maximum over both precisions.

    That is LogME of You et al. (2021).

    Parameters
    ----------
    features : Spectrum
        The features.
    y : ndarray of shape (n,)
        Targets.
    """
    values, vectors = features
    n, least = len(y), _LEAST * (y @ y)
    along = (vectors.T @ y) ** 2
    beside = max(y @ y - along.sum(), least)
    alpha = beta = 1.0
    for _ in range(_ROUNDS):
        before = alpha / beta
        shrunk = values / (values + before)
        residual = (along * (1 - shrunk) ** 2).sum() + beside
        weights = (along * shrunk**2 / values).sum() + _LEAST
        alpha, beta = (shrunk.sum() + _LEAST) / weights, (n - shrunk.sum()) / residual
        if abs(alpha / beta - before) < _TOLERANCE * before:
            break
    evidence = n * np.log(beta / (2 * np.pi)) - np.log1p(beta / alpha * values).sum()
    return float(evidence - beta * residual - alpha * weights) / (2 * n)


class Method(NamedTuple):
    """A score of features, and whether they are scaled to variance 1 for it."""

    score: Callable[[Spectrum, np.ndarray, str], Score]
    scale: bool


METHODS = {"ridge": Method(ridge_score, scale=True), "logme": Method(logme_score, scale=False)}


def layer_scores(
    layers: Iterable[np.ndarray], y: np.ndarray, kind: str, method: str
) -> Iterator[Score]:
    """Yield the score of each layer's features (n, d), without rows that are not finite.

    Parameters
    ----------
    layers : iterable of ndarray
        Of the same rows; equal ones one after another, as the last stage and "pooled" often are,
        are computed once.
    y, kind
        From `ranking_target`.
    method : {"ridge", "logme"}
        See `METHODS`.
    """
    score, scale = METHODS[method]
    before: np.ndarray | None = None
    for rows in layers:
        if before is None or not np.array_equal(rows, before, equal_nan=True):
            used = np.isfinite(rows).all(axis=1)
            targets = varying(y[used], kind)
            found = score(spectrum(rows[used], scale=scale), targets, kind)
        before = rows
        yield found


_TASKS = ("auto", "classification", "regression")
_NAMES = {
    "classes": "leave-one-out accuracy",
    "labels": "leave-one-out accuracy, mean over labels",
    "values": "leave-one-out R²",
}


def score_name(method: str, kind: str) -> str:
    """Return what a score is, for axes."""
    return _NAMES[kind] if method == "ridge" else "log evidence per row (LogME)"
