"""Towers trained together, beside logistic or ridge regression on the same features, frozen.

``python -m benchmarks.mixed --part heads``, or another of the parts: frozen, heads, text, both and
numbers

Icons of cloud services: picture, name and three numbers, 13 kinds; and the number of bytes of an
icon's file from the others. Three folds. The frozen blocks are standardized and divided by the root
of their width, as those of `MixedClassifier` are; those of `TableEmbedder` are weighted as well.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks._measure import seconds
from docs.examples._data import cloud_icons
from sktransfer import (
    ImageClassifier,
    ImageEmbedder,
    ImageRegressor,
    MixedClassifier,
    MixedRegressor,
    TableEmbedder,
    TextClassifier,
    TextEmbedder,
    TextRegressor,
)

FOLDS = 3
PARTS = ("frozen", "heads", "text", "both", "numbers")
RATES = (1e-4, 3e-4, 1e-3)
BEST = 1e-3


def _weighted(rows: np.ndarray) -> np.ndarray:
    return 3 * rows / np.sqrt(rows.shape[1])


def frozen(model: Any, numbers: list[str]) -> Any:
    """Return a model on blocks of frozen features of equal weight."""
    blocks = {"icon": ImageEmbedder(), "name": TextEmbedder(), "numbers": "passthrough"}
    columns = {"icon": "icon", "name": "name", "numbers": numbers}
    weighted = [
        (n, make_pipeline(b, StandardScaler(), FunctionTransformer(_weighted)), columns[n])
        for n, b in blocks.items()
    ]
    return make_pipeline(ColumnTransformer(weighted), model)


def classifiers(part: str) -> dict[str, Any]:
    """Return the models of kinds of one part by name."""
    towers = {"icon": ImageClassifier(), "name": TextClassifier()}
    if part == "frozen":
        model = LogisticRegression(max_iter=2_000)
        return {
            "frozen, logistic regression": frozen(model, ["width", "height", "bytes"]),
            "frozen, TableEmbedder": make_pipeline(TableEmbedder(), model),
        }
    if part == "heads":
        options: dict[str, Any] = {"max_epochs": 20, "random_state": 0}
        return {
            "heads": MixedClassifier(towers, **options),
            "heads, modality dropout": MixedClassifier(towers, modality_dropout=0.2, **options),
        }
    texts = {rate: TextClassifier(trainable=2, lr=rate, layer_decay=0.8) for rate in RATES}
    options = {"max_epochs": 5, "random_state": 0}
    if part == "text":
        models = {
            f"text trained, lr={rate:g}": MixedClassifier({**towers, "name": text}, **options)
            for rate, text in texts.items()
        }
        best = {**towers, "name": texts[BEST]}
        thinned = MixedClassifier(best, modality_dropout=0.2, **options)
        return models | {f"... {BEST:g}, modality dropout": thinned}
    both = {"icon": ImageClassifier(trainable=1, lr=BEST), "name": texts[BEST]}
    return {"text and images trained": MixedClassifier(both, **options)}


def regressors() -> dict[str, Any]:
    """Return the models of numbers by name."""
    towers = {"icon": ImageRegressor(), "name": TextRegressor()}
    text = TextRegressor(trainable=2, lr=BEST, layer_decay=0.8)
    options: dict[str, Any] = {"max_epochs": 20, "random_state": 0}
    return {
        "frozen, ridge regression": frozen(RidgeCV(np.logspace(-2, 4, 13)), ["width", "height"]),
        "heads": MixedRegressor(towers, **options),
        "text trained": MixedRegressor({**towers, "name": text}, **options),
    }


def compare(title: str, models: dict[str, Any], X: Any, y: np.ndarray, folds: Any) -> None:
    """Print score and seconds of each model, and the score where a column is missing."""
    print(f"{title:34}{'score':>14}{'seconds':>10}   without icon / name", flush=True)
    for name, model in models.items():
        scores, spent, lacking = [], [], []
        for train, test in folds.split(X, y):
            spent.append(seconds(lambda m=model, t=train: m.fit(X.iloc[t], y[t])))
            scores.append(model.score(X.iloc[test], y[test]))
            if name.startswith("frozen"):
                continue
            lacking.append(
                [model.score(X.iloc[test].assign(**{c: None}), y[test]) for c in ("icon", "name")]
            )
        means = " / ".join(f"{m:.3f}" for m in np.mean(lacking, axis=0)) if lacking else "-"
        accuracy = f"{np.mean(scores):.3f} ± {np.std(scores):.3f}"
        print(f"{name:34}{accuracy:>14}{np.median(spent):10.1f}   {means}", flush=True)


def main() -> None:
    """Print the table of one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, default="heads")
    part = parser.parse_args().part
    table = cloud_icons().drop(columns="provider")
    kinds, size = table.pop("kind").to_numpy(), np.log(table["bytes"].to_numpy())
    if part != "numbers":
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        compare("kind", classifiers(part), table, kinds, folds)
        return
    others = table.drop(columns="bytes")
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    compare("bytes of a file, R squared", regressors(), others, size, folds)


if __name__ == "__main__":
    main()
