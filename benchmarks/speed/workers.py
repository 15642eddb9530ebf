"""One job compared with two, in processes and in threads."""

from __future__ import annotations

import tempfile

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from benchmarks._table import Case, compare
from docs.examples._data import trec_questions
from sktransfer import TextClassifier, TextEmbedder

ONE = "n_jobs=1"


def measure(repeats: int) -> list[Case]:
    """Measure cross-validation of a pipeline with an empty cache, and of a fine-tuner."""
    from joblib import parallel_config

    X, y = (column[:3000].tolist() for column in trec_questions())

    def pipeline(jobs: int, backend: str) -> None:
        with tempfile.TemporaryDirectory() as cache, parallel_config(backend):
            model = make_pipeline(TextEmbedder(cache=cache), LogisticRegression(max_iter=300))
            cross_val_score(model, X, y, cv=4, n_jobs=jobs)

    def fine_tuner(jobs: int, backend: str) -> None:
        with parallel_config(backend):
            model = TextClassifier(trainable=2, max_epochs=1, cache=False, random_state=0)
            cross_val_score(model, X[:200], y[:200], cv=4, n_jobs=jobs)

    cases = []
    for name, work in (("cold pipeline", pipeline), ("fine-tuner", fine_tuner)):
        alternatives = {
            ONE: lambda w=work: w(1, "loky"),
            "n_jobs=2, processes": lambda w=work: w(2, "loky"),
            "n_jobs=2, threads": lambda w=work: w(2, "threading"),
        }
        cases.append(compare(f"cross-validation, 4 folds, {name}", alternatives, repeats, ours=ONE))
    return cases
