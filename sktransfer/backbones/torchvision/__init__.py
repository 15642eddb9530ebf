"""Classification networks of torchvision, under torchvision's names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torchvision
from torch import nn

from sktransfer._randomness import seeded
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

# Number of parameters without those of classifiers, and of features, by network: torchvision states
# neither, and building all networks to count them would take too long.
_SIZES: dict[str, dict[str, int]] = json.loads(Path(__file__).with_name("sizes.json").read_text())

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
        licence=choice.licence,
        library=f"torchvision {torchvision.__version__}",
        blueprint={"builder": NAME, "model": name, "headless": headless},
    )


def original(blueprint: Mapping[str, Any], recipe: ImageRecipe) -> Any:
    """Build torchvision's model of a blueprint with random weights."""
    name = str(blueprint["model"])
    if not owns(name):
        raise BackboneError(f"torchvision {torchvision.__version__} has no network {name!r}.")
    return _build(name, recipe.size[0], 0)


def staged(net: Any, blueprint: Mapping[str, Any], recipe: ImageRecipe) -> Chain:
    """Make the network of the modules of a model that `original` has built."""
    return _split(net, bool(blueprint["headless"]))[0]


@cache
def _names() -> tuple[str, ...]:
    return tuple(torchvision.models.list_models(module=torchvision.models))


def _row(name: str) -> dict[str, Any]:
    default = torchvision.models.get_model_weights(name).DEFAULT
    return {
        "name": name,
        "modality": "image",
        **_SIZES.get(name, {}),
        "input_size": recipe_of(default).size[0],
        "licence": licence_of(default),
        "on_this_machine": checkpoint_of(default).is_file(),
    }


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
