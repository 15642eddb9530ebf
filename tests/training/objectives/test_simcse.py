"""The loss of two views of texts equals a hand computation."""

import torch

from sktransfer.training.objectives import info_nce


def test_info_nce_equals_a_hand_computation():
    one, other = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))

    def similarity(a, b):
        return (torch.dot(a, b) / (a.norm() * b.norm()) / 0.1).exp()

    losses = []
    for i in range(4):
        right = similarity(one[i], other[i])
        losses.append(-(right / sum(similarity(one[i], o) for o in other)).log())
        losses.append(-(right / sum(similarity(o, other[i]) for o in one)).log())
    torch.testing.assert_close(info_nce(one, other, 0.1), torch.stack(losses).mean())
