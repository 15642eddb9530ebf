"""Learning rates and weight decay per stage."""

from sktransfer.backbones import get_backbone
from sktransfer.training import FineTuned
from sktransfer.training._parameter_groups import parameter_groups
from sktransfer.training.heads import LinearHead
from sktransfer.training.strategies import LastStages


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
