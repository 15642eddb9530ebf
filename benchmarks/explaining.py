"""Whether explanations point at what a model goes by, and what they cost.

``python -m benchmarks.explaining [pointing] [deletion] [cost] [shares] [--collages 200]``

- pointing: two pictures of Fashion-MNIST of different kinds side by side, of models trained on
  single ones. How often most of the positive weight for the kind of one picture lies on its half;
  by chance 50 %. Also of class activation maps (CAM, which Grad-CAM equals for a network that ends
  with a mean over places and a linear layer) of the fine-tuner.
- deletion: 250 questions of TREC. How often the prediction changes without the three words of the
  largest weights; without three words at random; and how much the probability falls.
- cost: seconds of `explain`, divided by those of the model's predictions of as many copies,
  prepared beforehand.
- shares: columns of the table of icons. How far shares with few rows of the background are from
  those with 100, and those of blank cells.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._measure import seconds
from docs.examples._data import cloud_icons, fashion, trec_questions
from sktransfer import ImageClassifier, ImageEmbedder, TextEmbedder, explain

_TRAIN = 800


def collages(n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return pictures of two kinds side by side, both kinds, and single pictures to train on."""
    pictures, kinds = fashion()
    order = random.permutation(len(pictures))
    pairs, names = [], []
    while len(pairs) < n:
        chosen = random.choice(order[_TRAIN:], 2)
        if kinds[chosen[0]] != kinds[chosen[1]]:
            canvas = np.zeros((56, 56), dtype=np.uint8)
            canvas[14:42] = np.hstack(pictures[chosen])
            large = Image.fromarray(canvas).convert("RGB").resize((224, 224), Image.BICUBIC)
            pairs.append(np.asarray(large))
            names.append(kinds[chosen])
    return np.stack(pairs), np.array(names), (pictures[order[:_TRAIN]], kinds[order[:_TRAIN]])


def share_of_half(heat: Any, half: int) -> float:
    """Return the share of the positive weight that lies on the left or the right half."""
    positive = np.asarray(heat).clip(0)
    return float(np.split(positive, 2, axis=1)[half].sum() / max(positive.sum(), 1e-12))


@torch.inference_mode()
def activation_maps(model: ImageClassifier, images: np.ndarray, targets: np.ndarray) -> list[Any]:
    """Return the last map of the network, weighted as the head weights its channels."""
    backbone = model._fitted_backbone()
    preparer = model._modality().bind(backbone)
    weights = next(p for p in model.module_.head.parameters() if p.ndim == 2)
    found = []
    for image, target in zip(images, targets, strict=True):
        inputs = preparer.collate([preparer.prepare(image, None)], torch.device("cpu"))
        maps = model.module_.eval().network(inputs, until=backbone.stages[-1])[0]
        row = weights[list(model.classes_).index(target)]
        heat = (maps * row[:, None, None]).sum(0)[None, None]
        found.append(torch.nn.functional.interpolate(heat, scale_factor=2)[0, 0].numpy())
    return found


def pointing(n: int) -> None:
    """Print how often explanations point at the right half."""
    X, names, (single, kinds) = collages(n, np.random.default_rng(0))
    halves = np.arange(n) % 2
    targets = names[np.arange(n), halves]
    models = {
        "embedder + logistic regression": make_pipeline(
            ImageEmbedder(), StandardScaler(), LogisticRegression(max_iter=500, C=0.1)
        ),
        "fine-tuner, last stage": ImageClassifier(trainable=1, max_epochs=3, random_state=0),
    }
    for name, model in models.items():
        model.fit(single, kinds)
        found = explain(model, X, target=targets.tolist())
        heats = {"leaving out": [parts["0"] for parts in found.parts]}
        if isinstance(model, ImageClassifier):
            heats["CAM"] = activation_maps(model, X, targets)
        is_predicted = model.predict(X) == targets
        for way, maps in heats.items():
            shares = np.array(
                [share_of_half(h, half) for h, half in zip(maps, halves, strict=True)]
            )
            right = shares > 0.5
            print(
                f"{name}, {way}: {right.mean():.1%} point at their half, "
                f"{right[is_predicted].mean():.1%} of the {is_predicted.sum()} predicted; "
                f"mean share {shares.mean():.2f}",
                flush=True,
            )


def questions(n: int = 3_000) -> tuple[Any, Any, Any]:
    """Return a model of TREC, and 250 questions that it has not seen."""
    X, y = trec_questions()
    order = np.random.default_rng(0).permutation(len(X))
    model = make_pipeline(TextEmbedder(), LogisticRegression(max_iter=1_000, C=10))
    return model.fit(X[order[:n]], y[order[:n]]), X[order[n : n + 250]], order


def without_words(text: str, words: list[Any]) -> str:
    """Return a text without some of its words."""
    for start, end, *_ in sorted(words, reverse=True):
        text = text[:start] + text[end:]
    return " ".join(text.split()) or "."


def deletion() -> None:
    """Print how often the prediction changes without three words."""
    model, X, _ = questions()
    words = [list(parts["0"]) for parts in explain(model, X).parts]
    random = np.random.default_rng(0)
    chosen = {
        "of the largest weights": [sorted(w, key=lambda word: -word[3])[:3] for w in words],
        "at random": [[w[n] for n in random.permutation(len(w))[:3]] for w in words],
    }
    proba = model.predict_proba(X)
    rows, places = np.arange(len(X)), proba.argmax(1)
    for name, taken in chosen.items():
        left = [without_words(text, some) for text, some in zip(X, taken, strict=True)]
        other = model.predict_proba(left)
        fall = (proba - other)[rows, places].mean()
        print(
            f"without three words {name}: {(other.argmax(1) != places).mean():.1%} change, "
            f"fall {fall:.2f}",
            flush=True,
        )


class Recording:
    """A model that keeps the rows that it is given."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.classes_ = model.classes_
        self.rows: list[Any] = []

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict and keep the rows."""
        self.rows += list(X)
        return self.model.predict_proba(X)


def cost(repeats: int = 5) -> None:
    """Print the seconds of explanations, relative to those of the predictions that they need."""
    text, questions_, _ = questions()
    pictures, _, (single, kinds) = collages(4, np.random.default_rng(0))
    image = make_pipeline(ImageEmbedder(), LogisticRegression(max_iter=200)).fit(single, kinds)
    for name, model, X in (
        ("20 questions", text, questions_[:20]),
        ("4 pictures", image, pictures),
    ):
        model[0].set_params(cache=False)
        recording = Recording(model)
        explain(recording, X)
        ratios, n = [], len(recording.rows)
        for _ in range(repeats):
            bare = seconds(lambda m=model, rows=recording.rows: m.predict_proba(rows))
            ratios.append(seconds(lambda m=model, rows=X: explain(m, rows)) / bare)
        print(
            f"{name}, {n} predictions: {np.median(ratios):.2f} of their time "
            f"({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def shares() -> None:
    """Print how far shares of columns with few rows of the background are from those with 100."""
    table = cloud_icons().sample(700, random_state=0)
    numbers = ["width", "height", "bytes"]
    columns = ColumnTransformer(
        [
            ("icon", ImageEmbedder(), "icon"),
            ("name", TextEmbedder(), "name"),
            ("numbers", StandardScaler(), numbers),
        ]
    )
    model = make_pipeline(columns, StandardScaler(), LogisticRegression(max_iter=300, C=0.01))
    X = table[["icon", "name", *numbers]]
    model.fit(X[:600], table["kind"][:600])
    rows, options = X[600:630], {"max_evals": 1}
    best = explain(model, rows, background=X[:600], n_background=100, **options).shares
    print(f"mean size of a share with 100 rows: {np.abs(best[:, :2]).mean():.3f}")
    ways = {"blank cells": {}}
    for n in (1, 3, 10, 30):
        ways[f"{n} rows"] = {"background": X[:600], "n_background": n, "random_state": 1}
    for name, way in ways.items():
        found = explain(model, rows, **way, **options).shares[:, :2]
        same = (found.argmax(1) == best[:, :2].argmax(1)).mean()
        error = np.abs(found - best[:, :2]).mean()
        print(f"{name}: mean error {error:.3f}, same larger column {same:.0%}", flush=True)


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parts = ["pointing", "deletion", "cost", "shares"]
    parser.add_argument("parts", nargs="*", metavar="part", default=parts)
    parser.add_argument("--collages", type=int, default=200)
    options = parser.parse_args()
    work = {"deletion": deletion, "cost": cost, "shares": shares}
    work["pointing"] = lambda: pointing(options.collages)
    for part in options.parts:
        work[part]()


if __name__ == "__main__":
    main()
