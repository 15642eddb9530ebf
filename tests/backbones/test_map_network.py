"""Maps of several stages in one row: equal to the stages' own, and resumed from any of them."""

import pytest
import torch

from sktransfer.backbones import CachedActivation, at_level, get_backbone, map_backbone, unpacked
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image import ImageRecipe

NETWORKS = {
    "resnet18": 64,  # (n, channels, height, width)
    "mobilenet_v3_small": 64,  # its last stage gives a vector
    "timm:test_vit": None,  # tokens
    "timm:test_convnext2": 64,
}


def both(name, size):
    backbone = get_backbone(name, weights=None, modality="image")
    recipe = backbone.recipe.at(size)
    return backbone, map_backbone(backbone, recipe), recipe


@pytest.mark.parametrize(("name", "size"), NETWORKS.items())
def test_packed_maps_are_those_of_the_stages(name, size):
    backbone, packed, recipe = both(name, size)
    inputs = torch.randn(2, 3, *recipe.size)
    with torch.inference_mode():
        found = unpacked(packed.network(inputs), packed.network.maps.shapes)
        for stage, part in zip(packed.network.maps.names, found, strict=True):
            own = at_level(backbone.network(inputs, until=stage), "place", backbone.network)
            torch.testing.assert_close(part, own)


@pytest.mark.parametrize(("name", "size"), NETWORKS.items())
def test_a_pass_goes_on_from_every_stage(name, size):
    _, packed, recipe = both(name, size)
    inputs = torch.randn(2, 3, *recipe.size)
    with torch.inference_mode():
        whole = packed.network(inputs)
        for stage in packed.stages[:-1]:
            cached = CachedActivation(stage, packed.network(inputs, until=stage))
            torch.testing.assert_close(packed.network(inputs, cached=cached), whole)


def test_one_map_of_each_size_is_used_and_none_finer_than_four_pixels():
    _, packed, _ = both("resnet18", 64)
    assert packed.network.maps.names == ("layer1", "layer2", "layer3", "layer4")
    assert [shape[0] for shape in packed.network.maps.shapes] == [16, 8, 4, 2]


def test_stages_behind_the_last_map_are_not_used():
    _, packed, _ = both("mobilenet_v3_small", 64)
    assert packed.stages[-1] == packed.network.maps.names[-1] != "projection"


def test_of_a_transformer_every_third_stage_is_used():
    _, packed, _ = both("timm:vit_tiny_patch16_224", None)
    assert packed.network.maps.names == ("block3", "block6", "block9", "block12")


def test_a_network_without_maps_is_refused():
    module = Flat()
    module.recipe = ImageRecipe(size=(8, 8), resize=8)
    backbone = get_backbone(module, modality="image")
    with pytest.raises(BackboneError, match="No stage of 'Flat' gives a map"):
        map_backbone(backbone, backbone.recipe)


def test_tokens_of_an_image_that_is_not_square_are_no_map():
    module = Tokens()
    module.recipe = ImageRecipe(size=(32, 128), resize=(32, 128))  # 64 tokens, not 8 by 8
    backbone = get_backbone(module, modality="image")
    with pytest.raises(BackboneError, match="square image_size"):
        map_backbone(backbone, backbone.recipe)


class Tokens(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 4, 8, stride=8)

    def forward(self, inputs):
        return self.patches(inputs).flatten(2).transpose(1, 2)


class Flat(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3 * 8 * 8, 4)

    def forward(self, inputs):
        return self.layer(inputs.flatten(1))
