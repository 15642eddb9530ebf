"""Optimizers and learning rate schedules by name; learning rates and weight decay per stage."""

import numpy as np
import pytest
import torch

from sktransfer.backbones import get_backbone
from sktransfer.training import FineTuned
from sktransfer.training._optimizers import make_optimizer, make_schedule, parameter_groups
from sktransfer.training.heads import LinearHead
from sktransfer.training.strategies import LastStages


def rates(name, warmup, steps=20):
    """Return the learning rate of each step."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 1.0}]
    optimizer = make_optimizer(groups, "sgd", momentum=0.9)
    schedule = make_schedule(optimizer, name, warmup=warmup, steps=steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return np.array(found)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["cosine", "onecycle", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 20])
def test_every_schedule_spans_the_training(name, warmup, steps):
    found = rates(name, warmup, steps)
    assert len(found) == steps
    assert (found > 0).all()
    assert found.max() <= 1 + 1e-9


def test_learning_rates_rise_and_fall_as_the_schedule_names_say():
    constant = rates("constant", 0.25)
    assert (np.diff(constant[:5]) > 0).all()
    assert (constant[5:] == 1).all()
    cosine = rates("cosine", 0.25)
    np.testing.assert_allclose(cosine[:5], constant[:5])
    np.testing.assert_allclose(cosine[5:], (1 + np.cos(np.pi * np.arange(15) / 15)) / 2, atol=1e-9)
    assert rates("cosine", 0.0)[[0, -1]] == pytest.approx([1.0, (1 + np.cos(np.pi * 0.95)) / 2])
    assert rates("onecycle", 0.25).argmax() in (4, 5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_an_optimizer_is_that_of_torch(name, kind):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1}]
    assert type(make_optimizer(groups, name, momentum=0.9)) is kind


def test_lower_stages_have_lower_learning_rates_and_norms_no_weight_decay():
    network = get_backbone("resnet18", weights=None, modality="image").network
    module = FineTuned(network, LinearHead(512, 2), ("layer3", "layer4"), LastStages(2))
    groups = parameter_groups(module, lr=1.0, layer_decay=0.5, weight_decay=0.1)
    rates = {group["name"].split(",")[0]: group["lr"] for group in groups}
    assert rates == {"head": 1.0, "layer4": 0.5, "layer3": 0.25}
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.1 if parameter.ndim > 1 else 0.0)
    learning = {id(p) for p in module.parameters() if p.requires_grad}
    assert {id(p) for group in groups for p in group["params"]} == learning
