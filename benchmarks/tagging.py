"""Parts of addresses from 50, 200 and 1,000 labelled ones, compared with sklearn-crfsuite.

``python -m benchmarks.tagging [--seeds 5] [--rows 50 200 1000]``

The baseline is a conditional random field on hand-made features of spelling, which must be
installed: ``pip install sklearn-crfsuite``. Scores are entity F1 on the addresses that are not
among the 1,000 that training rows are drawn from. Seconds are those of `fit`; no results are reused
between fits.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks._scores import Runs, fit_and_score, print_scores
from docs.examples._data import addresses
from sktransfer import TextTagger
from sktransfer.training.targets import counts_of, entities_of, f1_of

POOL = 1_000


class HandMade:
    """sklearn-crfsuite on the features that its tutorial has, and some of addresses."""

    def fit(self, X: list[list[str]], y: Any) -> HandMade:
        """Train."""
        from sklearn_crfsuite import CRF

        options = {"c1": 0.1, "c2": 0.1, "max_iterations": 100, "all_possible_transitions": True}
        rows = [list(features(words)) for words in X]
        self.model = CRF(algorithm="lbfgs", **options).fit(rows, list(y))
        return self

    def score(self, X: list[list[str]], y: Any) -> float:
        """Return the entity F1."""
        predicted = self.model.predict([list(features(words)) for words in X])
        rows = [
            tuple(entities_of(tags, 0) for tags in pair) for pair in zip(y, predicted, strict=True)
        ]
        return f1_of(counts_of(rows, np.ones(len(rows))))


def features(words: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the features of each word."""
    for i in range(len(words)):
        found: dict[str, Any] = {"first": i == 0, "last": i == len(words) - 1}
        for shift in (-1, 0, 1):
            if 0 <= i + shift < len(words):
                found |= {f"{shift} {k}": v for k, v in of_word(words[i + shift]).items()}
        yield found


def of_word(word: str) -> dict[str, Any]:
    """Return the features of a word by itself."""
    lower = word.lower().strip(".,;()")
    return {
        **{"lower": lower, "suffix 3": lower[-3:], "suffix 2": lower[-2:], "prefix 2": lower[:2]},
        **{"upper": word.isupper(), "title": word.istitle(), "digits": word.isdigit()},
        **{"some digits": any(map(str.isdigit, word)), "length": str(min(len(word), 8))},
        "mark": word[-1:] if not word[-1:].isalnum() else "",
    }


def measure(count: int, seeds: int) -> Runs:
    """Fit each model once per seed."""
    words, tags = addresses()
    X, y = np.empty(len(words), object), np.empty(len(words), object)
    X[:], y[:] = words, tags
    order = np.random.RandomState(0).permutation(len(X))
    runs: Runs = {}
    for seed in range(seeds):
        train = np.random.RandomState(seed).permutation(order[:POOL])[:count]
        models = {
            "CRF on hand-made features": HandMade(),
            "TextTagger()": TextTagger(cache=False, random_state=seed),
        }
        fit_and_score(models, X, y, train, order[POOL:], runs)
    return runs


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 200, 1_000])
    options = parser.parse_args()
    for count in options.rows:
        print_scores(f"{count} addresses", measure(count, options.seeds), slowest="TextTagger()")


if __name__ == "__main__":
    main()
