"""Stages that each value of `trainable` opens."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sktransfer import ImageClassifier, ImageEmbedder
from sktransfer.backbones import POOLED
from sktransfer.training._fine_tuned import cut_below
from sktransfer.training.strategies import strategy_of
from tests._tiny import images

STAGES = ["stem", "layer1", "layer2"]
X, Y = images(12), np.arange(12) % 2


@pytest.mark.parametrize(
    ("trainable", "opened", "cut"),
    [
        ("head", (), POOLED),
        (0, (), POOLED),
        (1, ("layer2",), "layer1"),
        (2, ("layer1", "layer2"), "stem"),
        (3, tuple(STAGES), None),
        (99, tuple(STAGES), None),
        ("all", tuple(STAGES), None),
        ("gradual", tuple(STAGES), None),
    ],
)
def test_trainable_opens_stages_from_the_top(trainable, opened, cut):
    assert strategy_of(trainable).opened(STAGES) == opened
    assert cut_below(STAGES, opened) == cut


def test_gradual_opens_one_more_stage_in_each_epoch():
    trained = []

    class Record(Callback):
        def on_epoch_begin(self, net, **kwargs):
            stages = net.module_.network.stages
            trained.append(
                [n for n, s in stages.items() if any(p.requires_grad for p in s.parameters())]
            )

    estimator = ImageClassifier(
        "resnet18",
        weights=None,
        image_size=32,
        trainable="gradual",
        max_epochs=3,
        random_state=0,
        cache=False,
        callbacks=[Record()],
    )
    estimator.fit(images(4), [0, 1, 0, 1])
    assert trained == [["layer4"], ["layer3", "layer4"], ["layer2", "layer3", "layer4"]]


@pytest.mark.parametrize("trainable", [2, "all", "gradual"])
def test_stages_may_share_a_weight(trainable):
    shared = nn.Conv2d(3, 3, 3, padding=1)
    pooling = nn.AdaptiveAvgPool2d(2), nn.Flatten()
    network = nn.Sequential(shared, nn.ReLU(), shared, *pooling)
    options = {"image_size": 16, "max_epochs": 6, "batch_size": 4, "lr": 0.05, "random_state": 0}
    classifier = ImageClassifier(network, trainable=trainable, cache=False, **options).fit(X, Y)
    embedded = ImageEmbedder(classifier, cache=False).fit_transform(X)
    np.testing.assert_allclose(embedded, classifier.transform(X), atol=1e-6)
    assert torch.equal(network[0].weight, shared.weight)
    moved = not torch.equal(classifier.module_.network.stages["stage0"].weight, shared.weight)
    assert moved == (trainable != 2)  # a frozen stage's weight is frozen wherever it is used
