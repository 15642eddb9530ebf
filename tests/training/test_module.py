"""What is opened, and how fast it learns."""

import copy

import pytest
import torch
from torch import nn

from sktransfer.adapt import (
    FineTuned,
    Head,
    cut_below,
    opened_stages,
    parameter_groups,
)
from sktransfer.backbones import POOLED, Given, get_backbone

STAGES = ["stem", "layer1", "layer2"]


def resnet():
    return get_backbone("resnet18", weights=None, modality="image").network


@pytest.mark.parametrize(
    ("trainable", "opened", "cut"),
    [
        ("head", (), POOLED),
        (0, (), POOLED),
        (1, ("layer2",), "layer1"),
        (2, ("layer1", "layer2"), "stem"),
        (3, tuple(STAGES), None),
        (99, tuple(STAGES), None),
        ("all", tuple(STAGES), None),
        ("gradual", tuple(STAGES), None),
    ],
)
def test_trainable_opens_stages_from_the_top(trainable, opened, cut):
    assert opened_stages(STAGES, trainable) == opened
    assert cut_below(STAGES, opened) == cut


def test_the_head_of_constant_features_stays_finite():
    head = Head(3, 2)
    features = torch.tensor([[1.0, 5.0, 0.0], [3.0, 5.0, 0.0]])
    head.start(features, torch.tensor([0.5, -0.5]))
    assert torch.equal(head.deviation, torch.tensor([1.0, 1.0, 1.0]))
    assert torch.equal(head(features), torch.tensor([[0.5, -0.5]] * 2))


def test_a_feature_that_hardly_varies_is_not_blown_up():
    head = Head(3, 2)
    features = torch.tensor([[1.0, 2.0, 5.0], [3.0, 6.0, 5.0001]])
    head.start(features, torch.zeros(2))
    torch.testing.assert_close(head.deviation, torch.tensor([1.0, 2.0, 0.1]))


def test_moving_the_module_or_letting_it_learn_leaves_the_shared_network_alone():
    shared = resnet()
    before = copy.deepcopy(shared.state_dict())
    module = FineTuned(shared, Head(512, 2), ("layer4",)).double()
    module.requires_grad_(True)
    assert all(p.dtype == torch.float32 for p in shared.parameters())
    assert not any(p.requires_grad for p in shared.parameters())
    assert all(torch.equal(t, before[n]) for n, t in shared.state_dict().items())


def test_modes_and_gradients_follow_what_is_open():
    module = FineTuned(resnet(), Head(512, 2), ("layer3", "layer4"))
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


def test_given_activations_lead_to_the_same_outputs():
    module = FineTuned(resnet(), Head(512, 2), ("layer4",)).eval()
    nn.init.normal_(module.head.linear.weight)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        whole = module(images)
        known = Given("layer3", resnet()(images, until="layer3"))
        features = Given(POOLED, module.features(images))
        torch.testing.assert_close(module(images, known), whole)
        torch.testing.assert_close(module(None, features), whole)


def test_each_stage_learns_slower_than_the_one_above_and_norms_do_not_decay():
    module = FineTuned(resnet(), Head(512, 2), ("layer3", "layer4"))
    groups = parameter_groups(module, lr=1.0, layer_decay=0.5, weight_decay=0.1)
    rates = {group["name"].split(",")[0]: group["lr"] for group in groups}
    assert rates == {"head": 1.0, "layer4": 0.5, "layer3": 0.25}
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.1 if parameter.ndim > 1 else 0.0)
    learning = {id(p) for p in module.parameters() if p.requires_grad}
    assert {id(p) for group in groups for p in group["params"]} == learning
