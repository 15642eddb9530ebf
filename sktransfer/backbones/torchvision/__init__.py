"""Classification networks of torchvision, under torchvision's names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torchvision
from torch import nn

from sktransfer._randomness import seeded
from sktransfer.backbones import _list_backbones
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import Chain
from sktransfer.backbones._weights import load_strict, read_state_dict
from sktransfer.backbones.torchvision._published_weights import (
    checkpoint_of,
    choose,
    licence_of,
    recipe_of,
    renamed,
)
from sktransfer.backbones.torchvision._split_torchvision import only_size, stages_of
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image import ImageRecipe

NAME = "torchvision"

# torchvision states the number of parameters of a network, but not that of its features.
_FEATURE_SIZES = """
alexnet=4096 convnext_base=1024 convnext_large=1536 convnext_small=768 convnext_tiny=768
densenet121=1024 densenet161=2208 densenet169=1664 densenet201=1920 efficientnet_b0=1280
efficientnet_b1=1280 efficientnet_b2=1408 efficientnet_b3=1536 efficientnet_b4=1792
efficientnet_b5=2048 efficientnet_b6=2304 efficientnet_b7=2560 efficientnet_v2_l=1280
efficientnet_v2_m=1280 efficientnet_v2_s=1280 googlenet=1024 inception_v3=2048 maxvit_t=512
mnasnet0_5=1280 mnasnet0_75=1280 mnasnet1_0=1280 mnasnet1_3=1280 mobilenet_v2=1280
mobilenet_v3_large=1280 mobilenet_v3_small=1024 regnet_x_16gf=2048 regnet_x_1_6gf=912
regnet_x_32gf=2520 regnet_x_3_2gf=1008 regnet_x_400mf=400 regnet_x_800mf=672 regnet_x_8gf=1920
regnet_y_128gf=7392 regnet_y_16gf=3024 regnet_y_1_6gf=888 regnet_y_32gf=3712
regnet_y_3_2gf=1512 regnet_y_400mf=440 regnet_y_800mf=784 regnet_y_8gf=2016 resnet101=2048
resnet152=2048 resnet18=512 resnet34=512 resnet50=2048 resnext101_32x8d=2048
resnext101_64x4d=2048 resnext50_32x4d=2048 shufflenet_v2_x0_5=1024 shufflenet_v2_x1_0=1024
shufflenet_v2_x1_5=1024 shufflenet_v2_x2_0=2048 squeezenet1_0=512 squeezenet1_1=512 swin_b=1024
swin_s=768 swin_t=768 swin_v2_b=1024 swin_v2_s=768 swin_v2_t=768 vgg11=4096 vgg11_bn=4096
vgg13=4096 vgg13_bn=4096 vgg16=4096 vgg16_bn=4096 vgg19=4096 vgg19_bn=4096 vit_b_16=768
vit_b_32=768 vit_h_14=1280 vit_l_16=1024 vit_l_32=1024 wide_resnet101_2=2048
wide_resnet50_2=2048
"""
# What the stated number of parameters counts besides: an auxiliary classifier; no bias.
_SURPLUS = {"inception_v3": 3_326_696, "maxvit_t": -1000}

# As the published weights of the two Inceptions need it; auxiliary classifiers are for training.
_INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": True}
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


def owns(name: str) -> bool:
    """Return whether `name` is a classification network of torchvision."""
    return name in _names()


def rows() -> list[dict[str, Any]]:
    """Return the rows of `list_backbones`, without building a network."""
    return [_row(name) for name in _names()]


def load(
    name: str, *, weights: str | Path | None, modality: str, random_state: int = 0
) -> Backbone:
    """Build a backbone with published weights, random ones or those of a file.

    Parameters
    ----------
    name : str
        As in ``torchvision.models.list_models``.
    weights : str, Path or None
        "pretrained" for torchvision's default weights, the name of others ("IMAGENET1K_V1",
        "ResNet50_Weights.IMAGENET1K_V1"), the path of a file, or None for random weights. A file
        with the name of a published one gets its recipe. Any other file, and random weights, get
        the recipe of the oldest published weights of the smallest image size: "IMAGENET1K_V1" at
        224 pixels for most networks.
    modality : str
        Unused: all networks are for images.
    random_state : int
        Seed of random weights.

    Raises
    ------
    BackboneError
        If there are no weights of that name.
    WeightsError
        If a file cannot be read or does not fit. Its classifier may differ.
    OfflineError
        If a download is needed and is forbidden or fails.
    """
    choice = choose(name, weights)
    recipe = recipe_of(choice.described)
    net = _build(name, recipe.size[0], random_state)
    headless = choice.published and choice.described.meta["categories"] is None
    network, head = _split(net, headless)
    if choice.file is not None:
        _fill(net, head, choice.file)
    return Backbone(
        name,
        source=NAME,
        network=network,
        recipe=replace(recipe, fixed_size=only_size(net) is not None),
        licence=licence_of(choice),
        library=f"torchvision {torchvision.__version__}",
        blueprint={"builder": NAME, "model": name, "headless": headless},
    )


def rebuild(blueprint: Mapping[str, Any], recipe: ImageRecipe) -> Chain:
    """Build the network of a blueprint with random weights."""
    name = str(blueprint["model"])
    if not owns(name):
        raise BackboneError(f"torchvision {torchvision.__version__} has no network {name!r}.")
    return _split(_build(name, recipe.size[0], 0), bool(blueprint["headless"]))[0]


@cache
def _names() -> tuple[str, ...]:
    return tuple(torchvision.models.list_models(module=torchvision.models))


def _row(name: str) -> dict[str, Any]:
    default = torchvision.models.get_model_weights(name).DEFAULT
    known = re.search(rf"\b{name}=(\d+)", _FEATURE_SIZES)
    feature_size = int(known[1]) if known else None
    classifier = 0 if feature_size is None else (feature_size + 1) * 1000
    return _list_backbones.row(
        name=name,
        source=NAME,
        modality="image",
        parameters=default.meta["num_params"] - classifier - _SURPLUS.get(name, 0),
        feature_size=feature_size,
        input_size=recipe_of(default).size[0],
        licence=licence_of(default),
        on_this_machine=checkpoint_of(default).is_file(),
    )


def _build(name: str, size: int, random_state: int) -> Any:
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options = _INCEPTION
    elif name.startswith("vit_"):
        options = {"image_size": size}
    with seeded(random_state):
        return torchvision.models.get_model(name, weights=None, **options)


def _split(net: Any, headless: bool) -> tuple[Chain, nn.Module | None]:
    if headless:
        # The authors of these weights published the convolutions only; the rest is NaN.
        net.classifier = nn.Identity()
    split = stages_of(net)
    assert split is not None
    return split


def _fill(net: nn.Module, head: nn.Module | None, file: Path) -> None:
    """Load the weights of a file; those of the classifier need not fit."""
    paths = [path for path, module in net.named_modules() if module is head]
    prefix = f"{paths[0]}." if paths else "classifier."
    load_strict(net, renamed(read_state_dict(file)), source=str(file), ignore=(prefix, *_AUXILIARY))
