"""Whether features of a network became better by pre-training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_consistent_length

from sktransfer._parameters import check_integer
from sktransfer._table import Table
from sktransfer.base import fitted
from sktransfer.exceptions import TargetError


def compare_pretrained(
    before: Any,
    after: Any,
    X: Any,
    y: Any,
    *,
    labels_per_class: Sequence[int | str] = (8, 64, "all"),
    n_draws: int = 5,
    test_size: float = 0.4,
    model: Any = None,
    random_state: int = 0,
) -> Table:
    """Compare two sources of features by what a model learns from few labels.

    Features are computed once per row. In each draw, a part of the rows is kept for testing, and
    the model is fitted on the same drawn labels with both features.

    Parameters
    ----------
    before, after : transformer
        Embedders or pretrainers; `after` is usually a fitted pretrainer, and `before` an embedder
        of its backbone. One that is not fitted is fitted on `X`, as a clone.
    X : column of n cells
        Rows with labels. `after` may have seen the cells in training, but not the labels.
    y : array-like of shape (n,)
        Classes.
    labels_per_class : sequence of int or "all", default=(8, 64, "all")
        Numbers of labels to learn from; a class that has fewer gives all but those for testing.
    n_draws : int, default=5
        Number of draws.
    test_size : float, default=0.4
        Share of the rows to test on.
    model : classifier, optional
        Default: logistic regression on standardized features.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    list of dict
        Prints as a table. Per number of labels: the mean scores `before` and `after`, the mean
        `gain`, and its standard deviation over the draws, `gain_std`.

    Raises
    ------
    TargetError
        If a class has fewer than two rows.

    Examples
    --------
    >>> from sktransfer import TextEmbedder, TextPretrainer, compare_pretrained
    >>> X = [f"{word} film {n}" for n in range(10) for word in ("good", "bad")]
    >>> pretrainer = TextPretrainer(max_epochs=1, cache=False, random_state=0).fit(X)
    >>> table = compare_pretrained(
    ...     TextEmbedder(cache=False), pretrainer, X, [1, 0] * 10, labels_per_class=[2, 4]
    ... )
    >>> [row["labels_per_class"] for row in table]
    [2, 4]
    """
    from sktransfer.training.targets import refuse_missing

    refuse_missing(y, "is no class.")
    y = np.asarray(y)
    check_consistent_length(X, y)
    check_integer("n_draws", n_draws, least=1)
    check_integer("random_state", random_state, least=0)
    counts = _checked(y, labels_per_class)
    features = [_features(source, X) for source in (before, after)]
    if model is None:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    scores = np.array(
        [
            [
                [clone(model).fit(f[rows], y[rows]).score(f[test], y[test]) for f in features]
                for rows, test in _draws(y, counts, test_size, random_state + draw)
            ]
            for draw in range(n_draws)
        ]
    )
    gains = scores[..., 1] - scores[..., 0]
    return Table(
        {
            "labels_per_class": count,
            "before": float(scores[:, n, 0].mean()),
            "after": float(scores[:, n, 1].mean()),
            "gain": float(gains[:, n].mean()),
            "gain_std": float(gains[:, n].std(ddof=min(1, n_draws - 1))),
        }
        for n, count in enumerate(counts)
    )


def _features(source: BaseEstimator, X: Any) -> np.ndarray:
    return np.asarray(fitted(source, X).transform(X))


def _draws(
    y: np.ndarray, counts: list[Any], test_size: float, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows to train and to test on for each number of labels; fewer are part of more."""
    rest, test = train_test_split(
        np.arange(len(y)), test_size=test_size, stratify=y, random_state=seed
    )
    for count in counts:
        most = len(y) if count == "all" else count
        parts = [rest[y[rest] == label][:most] for label in np.unique(y)]
        yield np.concatenate(parts), test


def _checked(y: np.ndarray, labels_per_class: Sequence[int | str]) -> list[Any]:
    classes, counts = np.unique(y, return_counts=True)
    if y.ndim != 1 or len(classes) < 2 or counts.min() < 2:
        raise TargetError("y must hold at least two classes, with two rows or more in each.")
    if isinstance(labels_per_class, str | Integral) or not len(labels_per_class):
        raise ValueError(
            f"labels_per_class must be a list of numbers or 'all', got {labels_per_class!r}."
        )
    for count in labels_per_class:
        is_count = isinstance(count, Integral) and not isinstance(count, bool) and int(count) > 0
        if not (is_count or count == "all"):
            raise ValueError(
                f"labels_per_class must hold positive integers or 'all', got {count!r}."
            )
    return list(labels_per_class)
