"""Fine-tuning resnet18 at 224 pixels, compared with skorch and with plain PyTorch loops.

All train with AdamW on the same rows with the same batch size; weights are random, which does not
change the cost. skorch decodes the images in each epoch, as a `DataLoader` does; the plain loop has
them in memory, decoded and scaled before timing starts. sktransfer decodes them once, and reuses
nothing between runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional

from benchmarks._measure import icons
from benchmarks._table import OURS, Case, compare
from sktransfer import ImageClassifier
from sktransfer.backbones import Backbone, get_backbone
from sktransfer.modalities.image import ImageModality
from sktransfer.training import FineTuned
from sktransfer.training._optimizers import make_optimizer, parameter_groups
from sktransfer.training.heads import LinearHead
from sktransfer.training.strategies import strategy_of

BATCH, EPOCHS, IMAGES = 32, 5, 64
COMMON = {"weights": None, "image_size": 224, "cache": False, "random_state": 0}
SKORCH, LOOP = "skorch", "plain loop over decoded images"
#: Trainable stages, precision, and target ratio of each case.
KINDS: tuple[tuple[str, Any, str, float], ...] = (
    ("head, float32", "head", "float32", 6.0),
    ("last stage, float32", 1, "float32", 2.0),
    ("all stages, auto", "all", "auto", 2.3),
)


def scaled(backbone: Backbone, paths: Sequence[str]) -> torch.Tensor:
    """Return network inputs of images."""
    preparer = ImageModality(image_size=224).bind(backbone)
    pixels = [preparer.prepare(path, None) for path in paths]
    return preparer.collate(pixels, torch.device("cpu"))


def plain_loop(
    backbone: Backbone,
    images_of: Callable[[np.ndarray], torch.Tensor],
    y: torch.Tensor,
    trainable: Any,
) -> None:
    """Train as in a PyTorch tutorial: frozen stages are in eval mode and have no gradients."""
    strategy = strategy_of(trainable)
    network = copy.deepcopy(backbone.network).to(memory_format=torch.contiguous_format)
    head = LinearHead(backbone.feature_size, int(y.max()) + 1)
    module = FineTuned(network, head, strategy.opened(backbone.stages), strategy)
    optimizer = make_optimizer(parameter_groups(module, lr=1e-3), "adamw", momentum=0.9)
    module.train()
    order = np.random.RandomState(0)
    for _ in range(EPOCHS):
        for rows in np.array_split(order.permutation(len(y)), max(1, len(y) // BATCH)):
            optimizer.zero_grad()
            functional.cross_entropy(module(images_of(rows)), y[rows]).backward()
            optimizer.step()


class ImageFiles(torch.utils.data.Dataset):
    """Images of a folder, decoded on access."""

    def __init__(self, paths: Sequence[str], y: torch.Tensor) -> None:
        self.paths, self.y = paths, y
        weights = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
        self.preprocess = weights.transforms()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        mode = torchvision.io.ImageReadMode.RGB
        image = torchvision.io.decode_image(self.paths[number], mode=mode)
        return self.preprocess(image), self.y[number]


def with_skorch(paths: Sequence[str], y: torch.Tensor, trainable: Any) -> None:
    """Train a torchvision network with skorch, as in its documentation."""
    from skorch import NeuralNetClassifier

    network = torchvision.models.resnet18(weights=None)
    network.fc = nn.Linear(network.fc.in_features, int(y.max()) + 1)
    kept = {"head": ("fc.",), 1: ("fc.", "layer4."), "all": ("",)}[trainable]
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(kept))
    net = NeuralNetClassifier(
        network,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        max_epochs=EPOCHS,
        batch_size=BATCH,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )
    net.fit(ImageFiles(paths, y), y=None)


def ours(paths: Sequence[str], labels: Sequence[str], trainable: Any, **more: Any) -> Any:
    """Return a fitted estimator of sktransfer."""
    settings = {**COMMON, "max_epochs": EPOCHS, "trainable": trainable, **more}
    return ImageClassifier("resnet18", **settings).fit(list(paths), list(labels))


def measure(repeats: int) -> list[Case]:
    """Measure training of the head, the last stage and all stages."""
    paths, labels = icons(IMAGES)
    y = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
    backbone = get_backbone("resnet18", weights=None, modality="image")
    images = scaled(backbone, paths)

    cases = []
    for name, trainable, precision, least in KINDS:
        alternatives = {
            OURS: lambda t=trainable, p=precision: ours(paths, labels, t, precision=p),
            SKORCH: lambda t=trainable: with_skorch(paths, y, t),
            LOOP: lambda t=trainable: plain_loop(backbone, images.__getitem__, y, t),
        }
        title = f"resnet18, {name}, {EPOCHS} epochs over {len(paths)} images"
        remark = "" if trainable == "all" else _same_bits(paths, labels, trainable)
        cases.append(compare(title, alternatives, repeats, least={SKORCH: least}, remark=remark))
    return cases


def _same_bits(paths: Sequence[str], labels: Sequence[str], trainable: Any) -> str:
    found = [
        ours(paths, labels, trainable, max_epochs=2, reuse_activations=reuse).predict_proba(paths)
        for reuse in (True, False)
    ]
    same = "equal" if np.array_equal(*found) else "NOT equal"
    return f"Predictions with reused and with recomputed activations are {same} to the last bit."
