"""The phases of a fine-tuning: contrastive, probe, head and train."""

import pytest

from sktransfer import ImageClassifier, TextClassifier
from sktransfer.exceptions import BackboneError
from tests._tiny import images, texts


def test_probe_epochs_come_first():
    estimator = TextClassifier(
        trainable=1, probe_epochs=2, max_epochs=1, cache=False, random_state=0, lr=1e-4
    ).fit(texts(8), [0, 1] * 4)
    assert [record["phase"] for record in estimator.history_] == ["probe", "probe", "train"]


def test_contrastive_epochs_need_a_weight_to_train():
    from torch import nn

    pooling = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    classifier = ImageClassifier(pooling, trainable=1, contrastive_epochs=1, image_size=16)
    with pytest.raises(BackboneError, match="stage1 have no weights"):
        classifier.fit(images(4), [0, 1] * 2)
