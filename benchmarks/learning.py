"""Fine-tuning with enough labels, compared with frozen features and a model without pretraining.

``python -m benchmarks.learning [--seeds 3] [--tasks trec-2000 fashion-600]``

TREC: 2,000 training questions, the other 3,381 for testing. Fashion-MNIST: 600 training images,
2,000 for testing. Rows are drawn per seed. Seconds are those of `fit`; outputs of frozen networks
are computed once per row, as by default.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks._scores import Runs, fit_and_score, print_scores
from docs.examples._data import fashion, trec_questions
from sktransfer import ImageClassifier, ImageEmbedder, TextClassifier, TextEmbedder


def questions(seed: int) -> dict[str, Any]:
    """Return the models for questions."""
    tuned = {"max_epochs": 3, "batch_size": 16, "lr": 4e-4, "layer_decay": 0.8}
    return {
        "TF-IDF + logistic regression": make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10)
        ),
        "frozen + logistic regression": make_pipeline(
            TextEmbedder(), LogisticRegression(max_iter=1_000)
        ),
        "head": TextClassifier(random_state=seed),
        "all, 3 epochs": TextClassifier(trainable="all", random_state=seed, **tuned),
    }


def fashion_models(seed: int) -> dict[str, Any]:
    """Return the models for images of 28 x 28 pixels."""
    return {
        "pixels + logistic regression": make_pipeline(
            FunctionTransformer(lambda images: np.stack(images).reshape(len(images), -1) / 255),
            LogisticRegression(max_iter=1_000, C=0.1),
        ),
        "frozen + logistic regression": make_pipeline(
            ImageEmbedder(), LogisticRegression(max_iter=1_000)
        ),
        "head": ImageClassifier(random_state=seed),
        "head and last 2 stages": ImageClassifier(trainable=2, lr=1e-3, random_state=seed),
    }


#: Rows, models, and the numbers of training and test rows.
TASKS: dict[str, tuple[Callable[[], Any], Callable[[int], dict[str, Any]], int, int]] = {
    "trec-2000": (trec_questions, questions, 2_000, 3_381),
    "fashion-600": (fashion, fashion_models, 600, 2_000),
}


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    options = parser.parse_args()
    for task in options.tasks:
        load, models, n_train, n_test = TASKS[task]
        X, y = load()
        runs: Runs = {}
        for seed in range(options.seeds):
            order = np.random.RandomState(seed).permutation(len(y))
            train, test = order[:n_train], order[n_train : n_train + n_test]
            fit_and_score(models(seed), X, y, train, test, runs)
        print_scores(task, runs, slowest=list(runs)[-1])


if __name__ == "__main__":
    main()
