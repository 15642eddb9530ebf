"""Overhead of an estimator over a plain training loop with the same steps on the same network.

``python -m benchmarks.overhead [--rows 512] [--epochs 3] [--repeats 5]``

The plain loop gets its batches as tensors, prepared before timing starts: no decoding, tokenizing,
validation, history, callbacks, standardization of features or copy of the best weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks._measure import icons
from benchmarks._table import OURS, compare
from benchmarks.speed.finetuning import scaled
from docs.examples._data import trec_questions
from sktransfer import ImageClassifier, TextClassifier
from sktransfer.backbones import Backbone, get_backbone
from sktransfer.training import FineTuned
from sktransfer.training._optimizers import make_optimizer, parameter_groups
from sktransfer.training.heads import LinearHead
from sktransfer.training.strategies import strategy_of

BATCH = 32
BARE = "the bare loop"
COMMON = {"batch_size": BATCH, "lr": 1e-4, "cache": False, "random_state": 0}


def plain_loop(backbone: Backbone, batches: list[Any], y: list[torch.Tensor], epochs: int) -> None:
    """Train all stages on these batches for some epochs."""
    head = LinearHead(backbone.feature_size, int(torch.cat(y).max()) + 1)
    module = FineTuned(backbone.network, head, backbone.stages, strategy_of("all")).train()
    optimizer = make_optimizer(parameter_groups(module, lr=1e-4), "adamw", momentum=0.9)
    for _ in range(epochs):
        for inputs, targets in zip(batches, y, strict=True):
            optimizer.zero_grad()
            functional.cross_entropy(module(inputs), targets).backward()
            optimizer.step()


def texts_in_batches(backbone: Backbone, texts: list[str]) -> list[Any]:
    """Return network inputs of texts."""
    tokens = backbone.processor.encode(texts, 256)
    return [backbone.processor.collate(tokens[i : i + BATCH]) for i in range(0, len(texts), BATCH)]


def compare_with_plain_loop(
    name: str,
    fit: Callable[[], object],
    backbone: Backbone,
    batches: list[Any],
    labels: np.ndarray,
    epochs: int,
    repeats: int,
) -> None:
    """Measure both, and print the relative times."""
    numbers = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
    y = list(numbers.split(BATCH))
    alternatives = {OURS: fit, BARE: lambda: plain_loop(backbone, batches, y, epochs)}
    title = f"{name}, all stages, {epochs} epochs over {len(labels)} rows"
    compare(title, alternatives, repeats, least={BARE: round(1 / 1.15, 2)})


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    size, epochs, repeats = options.rows, options.epochs, options.repeats

    questions, kinds = (column[:size] for column in trec_questions())
    classifier = TextClassifier(trainable="all", max_epochs=epochs, **COMMON)
    backbone = get_backbone(classifier.backbone, weights="pretrained", modality="text")
    batches = texts_in_batches(backbone, list(questions))
    fit = lambda: classifier.fit(questions, kinds)  # noqa: E731
    compare_with_plain_loop("MiniLM", fit, backbone, batches, kinds, epochs, repeats)

    paths, labels = icons(size // 4)
    options_of_images = {"weights": None, "image_size": 224, **COMMON}
    images = ImageClassifier("resnet18", trainable="all", max_epochs=epochs, **options_of_images)
    backbone = get_backbone("resnet18", weights=None, modality="image")
    batches = list(scaled(backbone, paths).split(BATCH))
    fit = lambda: images.fit(paths, labels)  # noqa: E731
    compare_with_plain_loop("resnet18", fit, backbone, batches, np.array(labels), epochs, repeats)


if __name__ == "__main__":
    main()
