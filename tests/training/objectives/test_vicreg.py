"""VICReg's three terms equal a hand computation."""

import numpy as np
import torch

from sktransfer.training.objectives import vicreg_loss


def test_vicreg_equals_a_hand_computation():
    one, other = np.random.default_rng(0).normal(size=(2, 6, 3)) * [1.5, 0.3, 0.8]
    variance = covariance = 0.0
    for view in (one, other):
        matrix = np.cov(view.T)
        variance += np.maximum(0, 1 - np.sqrt(np.diag(matrix) + 1e-4)).mean() / 2
        covariance += (matrix[~np.eye(3, dtype=bool)] ** 2).sum() / 3
    expected = 25 * ((one - other) ** 2).mean() + 25 * variance + covariance
    got = vicreg_loss(torch.from_numpy(one), torch.from_numpy(other))
    np.testing.assert_allclose(got.item(), expected)
