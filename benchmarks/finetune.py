"""What fine-tuning costs, beside the plain way that forwards the frozen part in each epoch.

``python -m benchmarks.finetune [--images 200] [--epochs 5] [--repeats 3]``

The plain loop decodes its images in each epoch, as a `DataLoader` does; the other one has them
decoded and scaled in memory before the clock starts. Ours decodes them once, and keeps nothing
from one run to the next. All train with the same optimizer, batch size and rows; resnet18 has
random weights, which cost the same.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks._measure import icons, print_ratios, seconds, take_turns
from sktransfer import ImageClassifier, ImageEmbedder
from sktransfer.adapt import FineTuned, Head, opened_stages, parameter_groups
from sktransfer.backbones import Backbone, get_backbone
from sktransfer.cache import NoCache
from sktransfer.extraction import Failures, ImageReader
from sktransfer.finetune._optimizer import make_optimizer

BATCH = 32


def scaled(backbone: Backbone, paths: list[str]) -> torch.Tensor:
    """Return images as the network takes them."""
    reader = ImageReader(image_size=224)
    column = reader.column(paths)
    failures = Failures(column, "raise")
    reading = reader.read(column, NoCache(), failures)
    _, pixels = reader.prepare(reading, range(len(paths)), backbone, failures)
    return reader.inputs(pixels, backbone, torch.device("cpu"))


def plain(
    backbone: Backbone,
    images_of: Callable[[np.ndarray], torch.Tensor],
    y: torch.Tensor,
    trainable: Any,
    epochs: int,
) -> None:
    """Train as a tutorial would: frozen stages are in eval mode and have no gradients."""
    opened = opened_stages(backbone.stages, trainable)
    network = copy.deepcopy(backbone.network).to(memory_format=torch.contiguous_format)
    module = FineTuned(network, Head(backbone.feature_size, int(y.max()) + 1), opened)
    optimizer = make_optimizer(parameter_groups(module, lr=1e-3), "adamw", momentum=0.9)
    module.train()
    order = np.random.RandomState(0)
    for _ in range(epochs):
        for rows in np.array_split(order.permutation(len(y)), max(1, len(y) // BATCH)):
            optimizer.zero_grad()
            functional.cross_entropy(module(images_of(rows)), y[rows]).backward()
            optimizer.step()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    paths, labels = icons(options.images)
    y = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
    backbone = get_backbone("resnet18", weights=None, modality="image")
    images = scaled(backbone, paths)

    def decoded(rows: np.ndarray) -> torch.Tensor:
        return scaled(backbone, [paths[row] for row in rows])

    common = {"weights": None, "image_size": 224, "cache": False, "random_state": 0}

    def ours(trainable: Any, **more: Any) -> ImageClassifier:
        settings = {**common, "max_epochs": options.epochs, "trainable": trainable, **more}
        return ImageClassifier("resnet18", **settings).fit(paths, labels)

    ImageEmbedder("resnet18", weights=None, cache=False).fit_transform(paths[:8])  # imports
    nn.Linear(2, 2)(torch.zeros(2, 2)).sum().backward()
    for name, trainable in (("head", "head"), ("last stage", 1)):
        loops = {"plain loop": decoded, "plain loop, images in memory": images.__getitem__}
        ways = {"sktransfer": lambda t=trainable: seconds(lambda: ours(t))}
        for way, images_of in loops.items():
            ways[way] = lambda t=trainable, i=images_of: seconds(
                lambda: plain(backbone, i, y, t, options.epochs)
            )
        print(f"\n{name}, {options.epochs} epochs over {len(paths)} images")
        times = take_turns(ways, options.repeats)
        print_ratios(times, reference="sktransfer")
    for trainable in ("head", 1):
        found = [
            ours(trainable, max_epochs=2, reuse_activations=reuse).predict_proba(paths[:50])
            for reuse in (True, False)
        ]
        equal = np.array_equal(*found)
        print(f"trainable={trainable!r}: reused and computed anew give equal bits: {equal}")


if __name__ == "__main__":
    main()
