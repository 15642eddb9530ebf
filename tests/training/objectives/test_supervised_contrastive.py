"""Contrastive epochs: their loss, their batches, and the head that comes after them."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from sktransfer import TextClassifier
from sktransfer.finetune._batching import BalancedBatches
from sktransfer.finetune._loss import contrastive_loss
from sktransfer.finetune._stream import Rows
from tests._tiny import texts


def test_the_contrastive_loss_equals_a_hand_computation():
    features = functional.normalize(torch.randn(5, 4, generator=torch.manual_seed(0)), dim=1)
    classes = [0, 1, 0, 0, 2]
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    kin = [(features[i] @ features[j] - 1) ** 2 for i, j in pairs if classes[i] == classes[j]]
    strangers = [(features[i] @ features[j]) ** 2 for i, j in pairs if classes[i] != classes[j]]
    got = contrastive_loss(3 * features, torch.tensor(classes))
    torch.testing.assert_close(got, (sum(kin) / len(kin) + sum(strangers) / len(strangers)) / 2)


@pytest.mark.parametrize(("classes", "one_kind"), [([1, 1], 1.0), ([0, 1], 0.0), ([0], None)])
def test_the_contrastive_loss_of_a_batch_without_kin_or_without_strangers(classes, one_kind):
    features = torch.eye(3)[: len(classes)].requires_grad_()
    loss = contrastive_loss(features, torch.tensor(classes))
    loss.backward()
    assert loss.item() == (one_kind or 0.0)


def _drawn(targets, batch_size):
    stream = lambda batches: [Rows(batch, None) for batch in batches]  # noqa: E731
    rows, targets = np.arange(3, 3 + len(targets)), torch.tensor([9] * 3 + targets)
    weights, random = torch.ones(len(targets)), np.random.RandomState(0)
    batches = BalancedBatches(stream, rows, targets, weights, batch_size, random)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    return [found.positions for found, _ in drawn], [found.numpy() for _, found in drawn]


def test_classes_are_balanced_in_contrastive_batches():
    positions, classes = _drawn([0] * 15 + [1] * 3 + [2] * 2, 9)
    assert len(classes) == 32  # few rows come several times an epoch
    assert all(np.bincount(batch).tolist() == [3, 3, 3] for batch in classes)
    of_the_first = [row for batch in positions for row in batch if row < 18]
    for start in range(0, 90, 15):  # none again before all were there
        assert len(set(of_the_first[start : start + 15])) == 15


def test_many_classes_take_turns_in_contrastive_batches():
    _, classes = _drawn(list(range(20)) * 3, 8)
    assert all(
        sorted(np.bincount(batch, minlength=20))[-5:] == [0, 2, 2, 2, 2] for batch in classes[:5]
    )
    assert len(set(np.concatenate(classes[:5]))) == 20


def test_the_head_after_contrastive_epochs_learns_on_the_network_as_it_is_then():
    column, y = texts(24), np.arange(24) % 3
    plain = {"cache": False, "random_state": 0, "warmup": 0.0, "lr_schedule": "constant"}
    options = {"max_epochs": 5, "batch_size": 8, "lr": 1e-4, "trainable": 1, **plain}
    tuned = TextClassifier(contrastive_epochs=2, **options).fit(column, y)
    assert [record["phase"] for record in tuned.history_] == ["contrastive"] * 2 + ["head"] * 5
    features = torch.from_numpy(tuned.transform(column))
    torch.testing.assert_close(tuned.module_.head.mean, features.mean(0), rtol=1e-4, atol=1e-5)
    untuned = torch.from_numpy(TextClassifier(**options).fit(column, y).transform(column))
    assert not torch.allclose(features, untuned, atol=1e-3)
