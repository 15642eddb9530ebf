"""NT-Xent equals a hand computation, and views that cannot differ are refused."""

import pytest
import torch

from sktransfer import ImagePretrainer
from sktransfer.exceptions import BackboneError
from sktransfer.training.objectives import nt_xent
from tests._tiny import images, tiny_network


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_nt_xent_equals_a_hand_computation(temperature):
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 5, 4, generator=generator)
    views = [*one, *other]

    def similarity(i, j):
        cosine = torch.dot(views[i], views[j]) / (views[i].norm() * views[j].norm())
        return (cosine / temperature).exp()

    losses = []
    for i in range(10):
        others = sum(similarity(i, j) for j in range(10) if j != i)
        losses.append(-(similarity(i, (i + 5) % 10) / others).log())
    torch.testing.assert_close(nt_xent(one, other, temperature), torch.stack(losses).mean())


@pytest.mark.parametrize("objective", ["simclr", "vicreg"])
def test_views_that_are_equal_are_refused(objective):
    pretrainer = ImagePretrainer(tiny_network(), objective=objective, augment=None, cache=False)
    with pytest.raises(BackboneError, match="augment=None makes them equal"):
        pretrainer.fit(images(8))
