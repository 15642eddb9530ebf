"""The linear head and its standardization."""

import torch

from sktransfer.training.heads import LinearHead


def test_the_head_of_constant_features_stays_finite():
    head = LinearHead(3, 2)
    features = torch.tensor([[1.0, 5.0, 0.0], [3.0, 5.0, 0.0]])
    head.start(features, torch.tensor([0.5, -0.5]))
    assert torch.equal(head.deviation, torch.tensor([1.0, 1.0, 1.0]))
    assert torch.equal(head(features), torch.tensor([[0.5, -0.5]] * 2))


def test_a_nearly_constant_feature_is_not_scaled_up():
    head = LinearHead(3, 2)
    features = torch.tensor([[1.0, 2.0, 5.0], [3.0, 6.0, 5.0001]])
    head.start(features, torch.zeros(2))
    torch.testing.assert_close(head.deviation, torch.tensor([1.0, 2.0, 0.1]))
