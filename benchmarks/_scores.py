"""Accuracy and fit time of several models on the same rows, over several random splits."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from benchmarks._measure import seconds

#: Accuracy and seconds of each fit, by model name.
Runs = dict[str, list[tuple[float, float]]]


def fit_and_score(
    models: dict[str, Any], X: Any, y: np.ndarray, train: np.ndarray, test: np.ndarray, runs: Runs
) -> None:
    """Fit the models in turn, and append accuracy and seconds of each to `runs`."""
    for name, model in models.items():
        spent = seconds(lambda m=model: m.fit(list(X[train]), y[train]))
        score = float(model.score(list(X[test]), y[test]))
        runs.setdefault(name, []).append((score, spent))
        print(f"  {name}: {score:.3f}, {spent:.1f} s", flush=True)


def print_scores(title: str, runs: Runs, slowest: str) -> None:
    """Print mean and deviation of the accuracy, median seconds, and their share of the slowest."""
    median = {name: statistics.median(spent for _, spent in found) for name, found in runs.items()}
    print(f"\n{title:32}{'accuracy':>16}{'seconds':>10}{'share':>8}")
    for name, found in runs.items():
        scores = [score for score, _ in found]
        accuracy = f"{np.mean(scores):.3f} ± {np.std(scores):.3f}"
        print(f"{name:32}{accuracy:>16}{median[name]:10.1f}{median[name] / median[slowest]:8.2f}")
    print(flush=True)
