"""The Dice loss equals a hand computation."""

import numpy as np
import torch

from sktransfer.modalities import IGNORED
from sktransfer.training.objectives import dice_loss


def test_dice_equals_a_hand_computation():
    proba = torch.rand(3, 4, 5, 6).softmax(1)
    targets = torch.randint(0, 3, (3, 5, 6))  # class 3 is in no row
    targets[0, 0] = IGNORED
    weights = torch.tensor([1.0, 0.5, 2.0])
    expected = []
    for label in range(3):
        both = total = 0.0
        for row in range(3):
            known = targets[row] != IGNORED
            p, true = proba[row, label][known], (targets[row] == label)[known]
            both += weights[row] * p[true].sum()
            total += weights[row] * (p.sum() + true.sum())
        expected.append(2 * both / total)
    found = dice_loss(proba, targets, weights)
    np.testing.assert_allclose(found.item(), 1 - np.mean(expected), rtol=1e-5)


def test_dice_of_a_perfect_prediction_is_zero():
    targets = torch.randint(0, 3, (2, 4, 4))
    proba = torch.nn.functional.one_hot(targets, 3).movedim(3, 1).float()
    assert dice_loss(proba, targets).item() == 0


def test_dice_of_ignored_pixels_alone_is_zero():
    assert dice_loss(torch.rand(1, 2, 2, 2), torch.full((1, 2, 2), IGNORED)).item() == 0
