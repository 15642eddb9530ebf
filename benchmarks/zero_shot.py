"""Text classification by the names of classes, with 0 to 16 labelled rows per class.

``python -m benchmarks.zero_shot [--draws 10] [--tasks r8 sms trec]``

`ZeroShotClassifier` beside a logistic regression on the same frozen MiniLM, by the same labelled
rows. Accuracy, its mean over classes (balanced) and log loss are of the same 1,000 other rows, the
mean and the deviation over draws of the labelled rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.pipeline import make_pipeline

from benchmarks.few_labels import sample_per_class
from docs.examples._data import reuters_news, sms_messages, trec_questions
from sktransfer import TextEmbedder, ZeroShotClassifier

TEST_ROWS, POOL = 1_000, 500
LABELS_PER_CLASS = (1, 2, 4, 8, 16)

#: Where rows come from, the names of classes as the data has them, and descriptions.
TASKS: dict[str, tuple[Callable[[], Any], dict[Any, str], dict[Any, str]]] = {
    "r8": (
        reuters_news,
        {k: k for k in ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")},
        {
            "acq": "corporate acquisitions and mergers",
            "crude": "crude oil",
            "earn": "company earnings and dividends",
            "grain": "grain",
            "interest": "interest rates",
            "money-fx": "foreign exchange",
            "ship": "shipping",
            "trade": "foreign trade",
        },
    ),
    "sms": (
        sms_messages,
        {0: "ham", 1: "spam"},
        {0: "a message from a friend", 1: "an advertisement or a prize offer"},
    ),
    "trec": (
        trec_questions,
        {k: k for k in ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")},
        {
            "ABBR": "an abbreviation",
            "DESC": "a description or a reason",
            "ENTY": "a thing",
            "HUM": "a person",
            "LOC": "a place",
            "NUM": "a number or a date",
        },
    ),
}

Scores = dict[str, list[tuple[float, float, float]]]


def scores_of(model: Any, X: list[str], y: np.ndarray) -> tuple[float, float, float]:
    """Return accuracy, balanced accuracy and log loss."""
    proba = model.predict_proba(X)
    found = model.classes_[proba.argmax(axis=1)]
    return (
        float(accuracy_score(y, found)),
        float(balanced_accuracy_score(y, found)),
        float(log_loss(y, proba, labels=model.classes_)),
    )


def measure(task: str, draws: int) -> Scores:
    """Fit each model on each draw of labelled rows."""
    load, names, descriptions = TASKS[task]
    X, y = load()
    order = np.random.RandomState(0).permutation(len(X))
    test = order[:TEST_ROWS]
    pool = order[TEST_ROWS:][sample_per_class(y[order[TEST_ROWS:]], POOL // len(names), 0)]
    X_test, y_test = X[test].tolist(), y[test]
    found: Scores = {}

    def put(name: str, model: Any, rows: np.ndarray | None) -> None:
        model.fit(X[rows].tolist(), y[rows]) if rows is not None else model.fit(X_test)
        found.setdefault(name, []).append(scores_of(model, X_test, y_test))

    put("names of the data alone", ZeroShotClassifier(names), None)
    put("descriptions alone", ZeroShotClassifier(descriptions), None)
    for count in LABELS_PER_CLASS:
        for draw in range(draws):
            rows = pool[sample_per_class(y[pool], count, draw)]
            plain = make_pipeline(TextEmbedder(), LogisticRegression(max_iter=1_000))
            put(f"{count:2} labels, logistic regression", plain, rows)
            put(f"{count:2} labels and names of the data", ZeroShotClassifier(names), rows)
            put(f"{count:2} labels and descriptions", ZeroShotClassifier(descriptions), rows)
    return found


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    options = parser.parse_args()
    for task in options.tasks:
        print(f"{task:34}{'accuracy':>16}{'balanced':>16}{'log loss':>12}")
        for name, runs in measure(task, options.draws).items():
            (accuracy, balanced, loss), (spread, wide, _) = np.mean(runs, 0), np.std(runs, 0)
            print(
                f"{name:34}{accuracy:9.3f} ± {spread:.3f}{balanced:9.3f} ± {wide:.3f}{loss:12.2f}",
                flush=True,
            )
        print()


if __name__ == "__main__":
    main()
