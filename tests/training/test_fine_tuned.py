"""A network with a head: trained and shared parameters."""

import copy

import torch
from torch import nn

from sktransfer.backbones import POOLED, CachedActivation, get_backbone
from sktransfer.training import FineTuned
from sktransfer.training.heads import LinearHead
from sktransfer.training.strategies import LastStages


def resnet():
    return get_backbone("resnet18", weights=None, modality="image").network


def tuned(network, *opened):
    return FineTuned(network, LinearHead(512, 2), opened, LastStages(len(opened)))


def test_moving_or_training_the_module_leaves_the_shared_network_unchanged():
    shared = resnet()
    before = copy.deepcopy(shared.state_dict())
    module = tuned(shared, "layer4").double()
    module.requires_grad_(True)
    assert all(p.dtype == torch.float32 for p in shared.parameters())
    assert not any(p.requires_grad for p in shared.parameters())
    assert all(torch.equal(t, before[n]) for n, t in shared.state_dict().items())


def test_only_opened_stages_have_gradients_and_training_mode():
    module = tuned(resnet(), "layer3", "layer4")
    module.open(("layer4",))
    module.train()
    stages = module.network.stages
    assert [stages[name].training for name in ("layer2", "layer3", "layer4")] == [
        False,
        False,
        True,
    ]
    module(torch.randn(2, 3, 32, 32)).sum().backward()
    assert any(p.grad is not None for p in stages["layer4"].parameters())
    assert all(p.grad is None for p in stages["layer3"].parameters())
    assert any(p.grad is not None for p in module.head.parameters())


def test_cached_activations_lead_to_the_same_outputs():
    module = tuned(resnet(), "layer4").eval()
    nn.init.normal_(module.head.linear.weight)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        whole = module(images)
        cached = CachedActivation("layer3", resnet()(images, until="layer3"))
        features = CachedActivation(POOLED, module.features(images))
        torch.testing.assert_close(module(images, cached), whole)
        torch.testing.assert_close(module(None, features), whole)
