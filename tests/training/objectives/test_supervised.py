"""The supervised loss: row losses of each target, and their weighted mean."""

import numpy as np
import torch

from sktransfer.training._sources import TrainingBatch
from sktransfer.training.objectives import Supervised
from sktransfer.training.targets import ClassTarget, LabelTarget, ValueTarget

OUTPUTS = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
PRESENT = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
CLASSES = ClassTarget(np.arange(2))
LABELS = LabelTarget(np.arange(2))
VALUES = ValueTarget(np.zeros(2), np.ones(2), is_vector=False)


def label_losses():
    probability = 1 / (1 + (-OUTPUTS).exp())
    return -(PRESENT * probability.log() + (1 - PRESENT) * (1 - probability).log()).mean(1)


def test_row_losses_equal_a_hand_computation():
    shares = OUTPUTS.exp() / OUTPUTS.exp().sum(1, keepdim=True)
    classes = CLASSES.row_loss(OUTPUTS, torch.tensor([0, 1]), 0.0)
    torch.testing.assert_close(classes, -torch.stack([shares[0, 0], shares[1, 1]]).log())
    smooth = CLASSES.row_loss(OUTPUTS, torch.tensor([0, 1]), 0.2)
    even = -shares.log().mean(1)
    torch.testing.assert_close(smooth, 0.8 * classes + 0.2 * even)
    torch.testing.assert_close(LABELS.row_loss(OUTPUTS, PRESENT, 0.0), label_losses())
    squares = ((OUTPUTS - PRESENT) ** 2).mean(1)
    torch.testing.assert_close(VALUES.row_loss(OUTPUTS, PRESENT, 0.0), squares)


def test_the_loss_of_a_batch_is_the_mean_of_weighted_row_losses():
    batch = TrainingBatch([0, 1], OUTPUTS)
    weights = torch.tensor([0.5, 1.5])
    as_it_is = lambda inputs, cached: inputs  # noqa: E731
    loss, outputs = Supervised(LABELS).loss(as_it_is, batch, PRESENT, weights)
    rows = label_losses()
    torch.testing.assert_close(loss, (rows[0] * 0.5 + rows[1] * 1.5) / 2)
    assert torch.equal(outputs, OUTPUTS)
