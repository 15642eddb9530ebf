"""Classification networks of torchvision, under torchvision's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torchvision
from torch import nn

from sktransfer._randomness import seeded
from sktransfer.backbones import _table
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import Chain
from sktransfer.backbones._weights import load_strict
from sktransfer.backbones.torchvision._published import (
    checkpoint_of,
    choose,
    licence_of,
    read_checkpoint,
    recipe_of,
)
from sktransfer.backbones.torchvision._split_torchvision import only_size, stages_of
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.image import ImageRecipe

__all__ = ["NAME", "load", "only_size", "owns", "rebuild", "rows", "stages_of"]

NAME = "torchvision"

# torchvision states the number of parameters of a network, but not that of its features.
_FEATURE_SIZES = {
    name: size
    for size, names in {
        400: "regnet_x_400mf",
        440: "regnet_y_400mf",
        512: "maxvit_t resnet18 resnet34 squeezenet1_0 squeezenet1_1",
        672: "regnet_x_800mf",
        768: "convnext_small convnext_tiny swin_s swin_t swin_v2_s swin_v2_t vit_b_16 vit_b_32",
        784: "regnet_y_800mf",
        888: "regnet_y_1_6gf",
        912: "regnet_x_1_6gf",
        1008: "regnet_x_3_2gf",
        1024: "convnext_base densenet121 googlenet mobilenet_v3_small shufflenet_v2_x0_5 "
        "shufflenet_v2_x1_0 shufflenet_v2_x1_5 swin_b swin_v2_b vit_l_16 vit_l_32",
        1280: "efficientnet_b0 efficientnet_b1 efficientnet_v2_l efficientnet_v2_m "
        "efficientnet_v2_s mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3 mobilenet_v2 "
        "mobilenet_v3_large vit_h_14",
        1408: "efficientnet_b2",
        1512: "regnet_y_3_2gf",
        1536: "convnext_large efficientnet_b3",
        1664: "densenet169",
        1792: "efficientnet_b4",
        1920: "densenet201 regnet_x_8gf",
        2016: "regnet_y_8gf",
        2048: "efficientnet_b5 inception_v3 regnet_x_16gf resnet101 resnet152 resnet50 "
        "resnext101_32x8d resnext101_64x4d resnext50_32x4d shufflenet_v2_x2_0 "
        "wide_resnet101_2 wide_resnet50_2",
        2208: "densenet161",
        2304: "efficientnet_b6",
        2520: "regnet_x_32gf",
        2560: "efficientnet_b7",
        3024: "regnet_y_16gf",
        3712: "regnet_y_32gf",
        4096: "alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn",
        7392: "regnet_y_128gf",
    }.items()
    for name in names.split()
}
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
    feature_size = _FEATURE_SIZES.get(name)
    classifier = 0 if feature_size is None else (feature_size + 1) * 1000
    return _table.row(
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
    load_strict(net, read_checkpoint(file), source=str(file), ignore=(prefix, *_AUXILIARY))
