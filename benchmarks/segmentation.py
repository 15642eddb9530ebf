"""Masks and boxes of drawings pasted on photographs, compared with classifiers of single pixels.

``python -m benchmarks.segmentation [--seeds 3]``

300 pictures of 160 pixels to train and 100 to test, six kinds of drawings; no drawing and no
photograph is in both. The baselines see each pixel by itself: logistic regression on two stages of
the same frozen network, its last two or those that are best at it, brought to a quarter of the
pictures' size; and a random forest on the colours of a pixel, without and with the means around it.
Scores are the mean IoU of the seven classes, and the IoU of all drawings as one; of
`ObjectDetector` AP50, with six labels and with one. Seconds are those of `fit`, nothing cached.

What limits the mean IoU is which kind an unseen drawing is of. "kinds of drawings in true boxes" is
the accuracy of logistic regression on the network's features of drawings that are cut out for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import jaccard_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional

from benchmarks._measure import seconds
from docs.examples._data import pasted_pictures
from sktransfer import ImageEmbedder, ImageSegmenter, ObjectDetector
from sktransfer.backbones import get_backbone

_BEST = ("block3", "block5")  # of EfficientNet-Lite0 for single pixels
_LAST = ("block5", "block6")
_PIXELS = 40_000


class PerPixel:
    """A classifier of single pixels.

    Parameters
    ----------
    model : classifier
        Of rows of features.
    features : callable
        From images (n, H, W, 3) to features (n, h, w, d).
    """

    def __init__(self, model: Any, features: Any) -> None:
        self.model = model
        self.features = features

    def fit(self, images: np.ndarray, masks: np.ndarray) -> PerPixel:
        """Train on pixels drawn at random."""
        maps = self.features(images)
        step = masks.shape[1] // maps.shape[1]
        y = masks[:, step // 2 :: step, step // 2 :: step].ravel()
        rows = np.random.default_rng(0).choice(len(y), _PIXELS, replace=False)
        self.model.fit(maps.reshape(-1, maps.shape[-1])[rows], y[rows])
        return self

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the class of each pixel."""
        maps = self.features(images)
        proba = self.model.predict_proba(maps.reshape(-1, maps.shape[-1]))
        planes = torch.from_numpy(proba.reshape(*maps.shape[:3], -1)).permute(0, 3, 1, 2)
        return functional.interpolate(planes, images.shape[1:3], mode="bilinear").argmax(1).numpy()


@torch.inference_mode()
def frozen(stages: Sequence[str], images: np.ndarray) -> np.ndarray:
    """Return features of stages for each fourth pixel."""
    backbone = get_backbone("efficientnet_lite0", modality="image")
    height, width = images.shape[1:3]
    parts = []
    for some in np.array_split(images, max(1, len(images) // 16)):
        inputs = backbone.recipe.at((height, width)).scale(torch.from_numpy(some))
        maps = [backbone.network(inputs, until=stage) for stage in stages]
        size = height // 4, width // 4
        planes = [functional.interpolate(m, size, mode="bilinear") for m in maps]
        parts.append(torch.cat(planes, 1).permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def colours(squares: Sequence[int], images: np.ndarray) -> np.ndarray:
    """Return the colour of each pixel, and means over squares of these sides around it."""
    planes = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    means = [functional.avg_pool2d(planes, k, 1, k // 2) for k in squares]
    return torch.cat([planes, *means], 1).permute(0, 2, 3, 1).numpy()


def models(seed: int) -> dict[str, Any]:
    """Return what is compared."""
    forest = RandomForestClassifier(100, min_samples_leaf=2, n_jobs=2, random_state=seed)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return {
        "random forest on pixels": PerPixel(clone(forest), partial(colours, ())),
        "..., and the means around them": PerPixel(forest, partial(colours, (5, 11))),
        "logistic regression, last two stages": PerPixel(clone(linear), partial(frozen, _LAST)),
        "..., best two stages": PerPixel(linear, partial(frozen, _BEST)),
        "ImageSegmenter": ImageSegmenter(cache=False, random_state=seed),
        "..., 160 pixels": ImageSegmenter(image_size=160, cache=False, random_state=seed),
    }


def detect(images: Any, boxes: Any, images_test: Any, boxes_test: Any, seed: int) -> str:
    """Return the AP50 of six labels and of one, and the seconds of each fit."""
    found = []
    for one in (False, True):
        y, y_test = (
            [{**row, "labels": ["drawing"] * len(row["labels"])} if one else row for row in rows]
            for rows in (boxes, boxes_test)
        )
        detector = ObjectDetector(cache=False, random_state=seed)
        spent = seconds(lambda d=detector, y=y: d.fit(images, y))
        found.append(f"{detector.score(images_test, y_test):.3f} ({spent:.0f} s)")
    return f"AP50 of six labels {found[0]}, of one {found[1]}"


def kinds_in_boxes(images: Any, boxes: Any, images_test: Any, boxes_test: Any) -> float:
    """Return the accuracy of a classifier of drawings, cut out by their true boxes."""
    parts = []
    for pictures, rows in ((images, boxes), (images_test, boxes_test)):
        cut = [
            (picture[top:bottom, left:right], label)
            for picture, row in zip(pictures, rows, strict=True)
            for (left, top, right, bottom), label in zip(row["boxes"], row["labels"], strict=True)
        ]
        parts.append(tuple(zip(*cut, strict=True)))
    (X, y), (X_test, y_test) = parts
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    model = make_pipeline(ImageEmbedder(image_size=96, cache=False), linear)
    return float(model.fit([*X], y).score([*X_test], y_test))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(parser.parse_args().seeds):
        X, y, boxes, X_test, y_test, boxes_test = pasted_pictures(seed=seed)
        for name, model in models(seed).items():
            spent = seconds(lambda m=model, X=X, y=y: m.fit(X, y))
            predicted = np.stack([*model.predict(X_test)]).ravel()
            true = y_test.ravel()
            mean = jaccard_score(true, predicted, average="macro")
            found.setdefault(name, []).append((mean, jaccard_score(true > 0, predicted > 0), spent))
            print(seed, name, *(f"{value:.3f}" for value in found[name][-1]), flush=True)
        kinds = kinds_in_boxes(X, boxes, X_test, boxes_test)
        print(seed, f"kinds of drawings in true boxes {kinds:.3f}", flush=True)
        print(seed, "ObjectDetector", detect(X, boxes, X_test, boxes_test, seed), flush=True)
    print(f"\n{'':36}mean IoU         any drawing      seconds")
    for name, runs in found.items():
        means, spread = np.mean(runs, axis=0), np.std(runs, axis=0)
        scores = "".join(f"{means[i]:.3f} ± {spread[i]:.3f}    " for i in range(2))
        print(f"{name:36}{scores}{means[2]:7.0f}")


if __name__ == "__main__":
    main()
