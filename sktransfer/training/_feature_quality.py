"""Quality of features while a network is trained without targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.multiclass import type_of_target
from skorch.callbacks import Callback

from sktransfer._warnings import warn
from sktransfer.exceptions import CollapseWarning, TargetError
from sktransfer.training._column_data import Split
from sktransfer.training._predict_outputs import outputs_of
from sktransfer.training._training import Training
from sktransfer.training.targets import refuse_missing

# Number of rows of the effective rank, and of the score of neighbours: more hardly change them.
_RANKED, _SCORED = 256, 1_000
_NEIGHBOURS = 10
# Share of the rank at the start below which features have collapsed, and the least rank.
_COLLAPSED, _LEAST = 0.1, 1.01


class FeatureQuality(Callback):
    """Records effective rank and neighbours' score of each epoch; stops a training that collapses.

    Parameters
    ----------
    training : Training
        The rank is that of its training rows, the score that of its validation rows.
    y_val : array-like, optional
        Classes or numbers of the validation rows, for the score.
    initial : dict of str to float, optional
        What was recorded before the first epoch of a fit that this one continues.

    Attributes
    ----------
    initial : dict of str to float
        What would be recorded of the network before training.

    Raises
    ------
    TargetError
        If `y_val` is neither classes nor numbers.
    """

    def __init__(
        self, training: Training, y_val: Any = None, initial: dict[str, float] | None = None
    ) -> None:
        self.training = training
        self._ranked = _some(training.train.rows, _RANKED)
        self._y = None if y_val is None else _checked(y_val)
        trained = training.module.trained()
        training.monitor.last = {name: t.detach().clone() for name, t in trained.items()}
        self.initial = initial or self._scores()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the scores, and stop if features have collapsed."""
        scores = self._scores()
        for name, value in scores.items():
            net.history.record(name, value)
        rank, before = scores["effective_rank"], self.initial["effective_rank"]
        # A rank that is no number is that of a training that has diverged, which the monitor says.
        if before < _LEAST or not rank < max(_COLLAPSED * before, _LEAST):
            return
        monitor = self.training.monitor
        monitor.reject()
        best = monitor.best_epoch
        kept = f"the weights of epoch {best}" if best else "the weights before the first epoch"
        warn(
            f"The features have collapsed in epoch {len(net.history)}: their effective rank fell "
            f"from {before:.3g} to {rank:.3g}, so that rows look alike. The fit has stopped with "
            f"{kept}. Set a lower lr, a larger batch_size, or another objective.",
            CollapseWarning,
        )

    def _scores(self) -> dict[str, float]:
        training, own = self.training, self.training.processes.of_first
        features, _ = self._features(training.train, self._ranked)
        scores = {"effective_rank": own(effective_rank(features))}
        if self._y is not None and training.valid is not None:
            features, rows = self._features(training.valid, _some(training.valid.rows, _SCORED))
            scores["knn_score"] = own(knn_score(features, self._y[rows]))
        return scores

    def _features(self, split: Split, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the features of those of the rows that can be used, and these rows."""
        found = outputs_of(self.training.module, split.data, head=False, rows=rows.tolist())[rows]
        usable = np.isfinite(found).all(axis=1)
        return found[usable].astype(np.float64), rows[usable]


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    """Return a draw of rows that is the same for all fits, so that they can be compared."""
    return np.sort(np.random.RandomState(0).permutation(rows)[:most])


def effective_rank(features: np.ndarray) -> float:
    """Return the exponential of the entropy of the singular values of features (n, d).

    NaN where there are none.

    References
    ----------
    Garrido et al., RankMe: Assessing the Downstream Performance of Pretrained Self-Supervised
    Representations by Their Rank, 2023, https://arxiv.org/abs/2210.02885
    """
    if not len(features):
        return np.nan
    values = np.linalg.svd(features, compute_uv=False)
    shares = values / max(values.sum(initial=0.0), np.finfo(float).tiny)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def knn_score(features: np.ndarray, y: np.ndarray) -> float:
    """Return how well the 10 nearest other rows by cosine similarity predict each row's y.

    Accuracy where `y` holds classes, R² where it holds numbers; NaN where a row has no other.
    """
    if len(y) < 2:
        return np.nan
    neighbours = NearestNeighbors(
        n_neighbors=min(_NEIGHBOURS, len(y) - 1), metric="cosine", algorithm="brute"
    )
    near = neighbours.fit(features).kneighbors(return_distance=False)
    if type_of_target(y).startswith("continuous"):
        return float(r2_score(y, y[near].mean(axis=1)))
    classes, codes = np.unique(y, return_inverse=True)
    votes = np.eye(len(classes))[codes][near].sum(axis=1)
    return float(accuracy_score(codes, votes.argmax(axis=1)))


def _checked(y_val: Any) -> np.ndarray:
    refuse_missing(y_val, "is neither a class nor a number.", "y_val")
    y = np.asarray(y_val)
    if y.ndim != 1:
        raise TargetError(f"y_val must hold one class or number per row; its shape is {y.shape}.")
    kind = type_of_target(y, input_name="y_val")
    if kind not in ("binary", "multiclass", "continuous"):
        raise TargetError(f"y_val must hold one class or number per row, not {kind} targets.")
    if len(y) < 2:
        raise TargetError("y_val needs at least 2 rows whose neighbours can be compared.")
    return y
