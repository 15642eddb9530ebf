"""Text classification with 8, 16 and 64 labels per class, compared with SetFit.

``python -m benchmarks.few_labels [--seeds 3] [--tasks trec-8 r8-200]``

All fine-tune or embed with the same MiniLM on the same rows; accuracy is measured on 1,000 other
rows. SetFit trains for 300 steps of 16 pairs, with default settings otherwise. Seconds are those of
`fit`; no results are reused between fits. Models alternate, so that all see the same system noise.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from benchmarks._measure import minilm_folder
from benchmarks._scores import Runs, fit_and_score, print_scores
from docs.examples._data import reuters_news, trec_questions
from sktransfer import TextClassifier, TextEmbedder

TEST_ROWS = 1_000
STEPS = 300

#: The recommended setting for few labels, from the documentation.
RECOMMENDED: dict[str, Any] = {"trainable": 4, "contrastive_epochs": 6, "batch_size": 16}


class SetFit:
    """SetFit as in its documentation, with the interface of a classifier."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, X: list[str], y: np.ndarray) -> SetFit:
        """Train."""
        from datasets import Dataset, disable_progress_bars
        from setfit import SetFitModel, Trainer, TrainingArguments

        disable_progress_bars()
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                batch_size=16,
                max_steps=STEPS,
                seed=self.seed,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                show_progress_bar=False,
            )
            rows = Dataset.from_dict({"text": list(X), "label": y.tolist()})
            self.model = SetFitModel.from_pretrained(str(minilm_folder()))
            Trainer(self.model, args=arguments, train_dataset=rows).train()
        return self

    def score(self, X: list[str], y: np.ndarray) -> float:
        """Return the accuracy."""
        return float(np.mean(np.asarray(self.model.predict(list(X))) == y))


WAYS: dict[str, Callable[[int], Any]] = {
    "frozen + logistic regression": lambda seed: make_pipeline(
        TextEmbedder(cache=False), LogisticRegression(max_iter=1_000)
    ),
    "TextClassifier()": lambda seed: TextClassifier(cache=False, random_state=seed),
    "TextClassifier, recommended": lambda seed: TextClassifier(
        cache=False, random_state=seed, **RECOMMENDED
    ),
    f"SetFit, {STEPS} steps": SetFit,
}


def sample_per_class(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw a fixed number of rows per class."""
    random = np.random.RandomState(seed)
    rows = [random.permutation(np.flatnonzero(y == label))[:count] for label in np.unique(y)]
    return np.concatenate(rows)


def sample_stratified(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw rows with the class frequencies of the data."""
    return train_test_split(np.arange(len(y)), train_size=count, stratify=y, random_state=seed)[0]


#: Source of the rows, how training rows are drawn, and their number.
TASKS: dict[str, tuple[Callable[[], Any], Callable[..., np.ndarray], int]] = {
    "trec-8": (trec_questions, sample_per_class, 8),
    "trec-16": (trec_questions, sample_per_class, 16),
    "trec-64": (trec_questions, sample_per_class, 64),
    "r8-200": (reuters_news, sample_stratified, 200),
}


def measure(task: str, seeds: int) -> Runs:
    """Fit each model once per seed."""
    load, draw, count = TASKS[task]
    X, y = load()
    runs: Runs = {}
    for seed in range(seeds):
        train = draw(y, count, seed)
        rest = np.setdiff1d(np.arange(len(y)), train)
        test = np.random.RandomState(seed).permutation(rest)[:TEST_ROWS]
        fit_and_score({name: make(seed) for name, make in WAYS.items()}, X, y, train, test, runs)
    return runs


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    options = parser.parse_args()
    TextEmbedder(cache=False).fit_transform(["imports do not count"])
    for task in options.tasks:
        print_scores(task, measure(task, options.seeds), slowest=list(WAYS)[-1])


if __name__ == "__main__":
    main()
