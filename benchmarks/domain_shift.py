"""Features of a second domain: as they are, standardized, or aligned by their covariance (CORAL).

``python -m benchmarks.domain_shift``

Logistic regression on features of the bundled network learns from one domain and is scored on
another: icons of all cloud providers but one, and emoji drawn by Google and by Twitter. The rows to
score are known without their labels, which is what alignment uses. CORAL maps source features so
that their covariance is that of the target.

Sun et al., Return of Frustratingly Easy Domain Adaptation, 2016, https://arxiv.org/abs/1511.05547
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, LeaveOneGroupOut
from sklearn.preprocessing import scale

from docs.examples._data import cloud_icons, emoji
from sktransfer import ImageEmbedder

Pair = tuple[np.ndarray, np.ndarray]


def standardized(source: np.ndarray, target: np.ndarray) -> Pair:
    """Scale both by the mean and deviation of the source."""
    mean, deviation = source.mean(0), source.std(0) + 1e-6
    return (source - mean) / deviation, (target - mean) / deviation


def standardized_each(source: np.ndarray, target: np.ndarray) -> Pair:
    """Scale each by its own mean and deviation."""
    return scale(source), scale(target)


def coral(source: np.ndarray, target: np.ndarray) -> Pair:
    """Standardize each, then give the source the covariance of the target."""
    source, target = scale(source), scale(target)
    return source @ _power(source, -0.5) @ _power(target, 0.5), target


def _power(rows: np.ndarray, exponent: float) -> np.ndarray:
    """Return a power of the covariance of rows, with the ridge of the paper."""
    values, vectors = np.linalg.eigh(np.cov(rows.T) + np.eye(rows.shape[1]))
    return (vectors * values**exponent) @ vectors.T


WAYS: dict[str, Callable[[np.ndarray, np.ndarray], Pair]] = {
    "as they are": lambda source, target: (source, target),
    "standardized": standardized,
    "standardized, each domain": standardized_each,
    "CORAL": coral,
}


def icons() -> Iterator[tuple[Any, ...]]:
    """Yield features and kinds of all providers but one, and those of that one."""
    table = cloud_icons()
    X, y = ImageEmbedder().fit_transform(table["icon"]), table["kind"].to_numpy()
    for train, test in LeaveOneGroupOut().split(X, y, table["provider"]):
        if len(test) >= 50:
            yield X[train], y[train], X[test], y[test]


def drawings(source: str, target: str) -> Iterator[tuple[Any, ...]]:
    """Yield emoji of one style, and other emoji of the other style."""
    (X, y), (other, other_y) = (emoji(style) for style in (source, target))
    X, other = (ImageEmbedder().fit_transform(paths) for paths in (X, other))
    for train, test in KFold(5, shuffle=True, random_state=0).split(X):
        yield X[train], y[train], other[test], other_y[test]


def main() -> None:
    """Print the accuracy of each way."""
    tasks = {
        "icons, by provider": icons(),
        "emoji, Google to Twitter": drawings("google", "twitter"),
        "emoji, Twitter to Google": drawings("twitter", "google"),
    }
    for task, folds in tasks.items():
        scores: dict[str, list[float]] = {way: [] for way in WAYS}
        for source, y, target, target_y in folds:
            for way, align in WAYS.items():
                one, other = align(source, target)
                model = LogisticRegression(max_iter=2_000).fit(one, y)
                scores[way].append(float(model.score(other, target_y)))
        print(task)
        for way, found in scores.items():
            print(f"  {way:28}{np.mean(found):.3f} ± {np.std(found):.3f}", flush=True)


if __name__ == "__main__":
    main()
