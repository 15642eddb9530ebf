"""A backbone gives features per row, per token and per position."""

import pytest
import torch

from sktransfer.backbones import at_level, get_backbone
from sktransfer.exceptions import BackboneError


@pytest.mark.parametrize(
    ("name", "modality", "weights"),
    [
        ("resnet18", "image", None),
        ("timm:test_vit", "image", None),
        ("all-MiniLM-L6-v2", "text", "pretrained"),
    ],
)
def test_the_width_of_each_level_is_that_of_its_features(name, modality, weights):
    backbone = get_backbone(name, modality=modality, weights=weights)
    network = backbone.network
    with torch.inference_mode():
        output = network(backbone.recipe.blank(1), until=backbone.stages[-1])
    assert backbone.feature_width("row") == backbone.feature_size
    assert backbone.feature_width("token") == at_level(output, "token", network).shape[-1]
    if modality == "image":
        assert backbone.feature_width("place") == at_level(output, "place", network).shape[-1]


def test_a_network_that_ends_in_one_vector_per_row_has_no_tokens_and_no_positions():
    backbone = get_backbone("mobilenet_v3_small", modality="image", weights=None)
    for level in ("token", "place"):
        with pytest.raises(BackboneError, match="one vector per row"):
            backbone.feature_width(level)
        with pytest.raises(BackboneError, match="one vector per row"):
            at_level(torch.zeros(2, 3), level, backbone.network)
