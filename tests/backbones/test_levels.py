"""Features of tokens and of places, from every layout of activations."""

import pytest
import torch

from sktransfer.backbones import at_level, get_backbone
from sktransfer.exceptions import BackboneError
from tests.backbones.test_network import MAPS, TOKENS


@pytest.mark.parametrize(
    ("activation", "layout"),
    [(MAPS, "NCHW"), (MAPS.permute(0, 2, 3, 1), "NHWC"), (TOKENS, "NLC")],
    ids=["NCHW", "NHWC", "NLC"],
)
def test_places_and_tokens_are_given_in_every_layout(activation, layout):
    prefix = torch.zeros(2, 1, 3) if layout == "NLC" else None
    if prefix is not None:
        activation = torch.cat([prefix, activation], 1)
    options = {"layout": layout, "prefix_tokens": 0 if prefix is None else 1}
    assert torch.equal(at_level(activation, "place", **options), MAPS.permute(0, 2, 3, 1))
    assert torch.equal(at_level(activation, "token", **options), TOKENS)


def test_tokens_that_form_no_square_are_no_map():
    with pytest.raises(BackboneError, match="3 tokens do not form a square map"):
        at_level(TOKENS[:, :3], "place", layout="NLC")


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "timm:test_vit", "all-MiniLM-L6-v2"])
def test_the_width_of_each_level_is_that_of_its_features(name):
    modality = "text" if name.startswith("all") else "image"
    backbone = get_backbone(
        name, modality=modality, weights="pretrained" if modality == "text" else None
    )
    network, inputs = backbone.network, backbone.recipe.blank(1)
    with torch.inference_mode():
        output = network(inputs, until=backbone.stages[-1])
    options = {"layout": network.layout, "prefix_tokens": network.prefix_tokens}
    assert backbone.feature_width("row") == backbone.feature_size
    assert backbone.feature_width("token") == at_level(output, "token", **options).shape[-1]
    if modality == "image":
        assert backbone.feature_width("place") == at_level(output, "place", **options).shape[-1]
