"""The supervised contrastive loss, and the head trained after the contrastive epochs."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from sktransfer import TextClassifier
from sktransfer.training.objectives import contrastive_loss
from tests._tiny import texts


def test_the_contrastive_loss_equals_a_hand_computation():
    features = functional.normalize(torch.randn(5, 4, generator=torch.manual_seed(0)), dim=1)
    classes = [0, 1, 0, 0, 2]
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    within = [(features[i] @ features[j] - 1) ** 2 for i, j in pairs if classes[i] == classes[j]]
    between = [(features[i] @ features[j]) ** 2 for i, j in pairs if classes[i] != classes[j]]
    got = contrastive_loss(3 * features, torch.tensor(classes))
    torch.testing.assert_close(got, (sum(within) / len(within) + sum(between) / len(between)) / 2)


@pytest.mark.parametrize(("classes", "one_kind"), [([1, 1], 1.0), ([0, 1], 0.0), ([0], None)])
def test_a_batch_may_lack_pairs_within_classes_or_between_classes(classes, one_kind):
    features = torch.eye(3)[: len(classes)].requires_grad_()
    loss = contrastive_loss(features, torch.tensor(classes))
    loss.backward()
    assert loss.item() == (one_kind or 0.0)


def test_the_head_after_contrastive_epochs_is_trained_on_the_trained_features():
    column, y = texts(24), np.arange(24) % 3
    plain = {"cache": False, "random_state": 0, "warmup": 0.0, "lr_schedule": "constant"}
    options = {"max_epochs": 5, "batch_size": 8, "lr": 1e-4, "trainable": 1, **plain}
    tuned = TextClassifier(contrastive_epochs=2, **options).fit(column, y)
    assert [record["phase"] for record in tuned.history_] == ["contrastive"] * 2 + ["head"] * 5
    features = torch.from_numpy(tuned.transform(column))
    torch.testing.assert_close(tuned.module_.head.mean, features.mean(0), rtol=1e-4, atol=1e-5)
    untuned = torch.from_numpy(TextClassifier(**options).fit(column, y).transform(column))
    assert not torch.allclose(features, untuned, atol=1e-3)
