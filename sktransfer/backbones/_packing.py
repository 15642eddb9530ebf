"""A backbone as plain data: weights, and what is needed to build it without its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

import torch

from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import StagedNetwork
from sktransfer.backbones._recipe import ImageRecipe, TextRecipe
from sktransfer.backbones._tokenizer import TextTokenizer
from sktransfer.backbones._weights import StateDict, load_strict, refuse_misfits
from sktransfer.exceptions import BackboneError, WeightsError

# Sources whose networks can be built from a blueprint, by `rebuild(blueprint, recipe)`.
_BUILDERS = frozenset({"huggingface", "timm", "torchvision"})

# Pixels a side: some networks are tried out at their size when they are built, and a hostile file
# could ask for any.
_LARGEST = 2_048


@dataclass(frozen=True)
class Packed:
    """What `pack` returns and `unpack` takes.

    Attributes
    ----------
    about : dict
        Plain JSON.
    weights : dict of str to Tensor
        Of the network, by name.
    """

    about: dict[str, Any]
    weights: StateDict


def pack(backbone: Backbone) -> Packed:
    """Return a backbone as data.

    Raises
    ------
    BackboneError
        If its network is made by code of the user's.
    """
    if backbone.blueprint is None:
        raise BackboneError(
            f"{backbone.name!r} cannot be packed into a file: its network is made by code that "
            "only you have. Name an architecture of a library, and pass your weights for it as "
            "weights=."
        )
    kind = "image" if isinstance(backbone.recipe, ImageRecipe) else "text"
    about = {
        "name": backbone.name,
        "source": backbone.source,
        "licence": backbone.licence,
        "library": backbone.library,
        "blueprint": dict(backbone.blueprint),
        "recipe": {"kind": kind, **asdict(backbone.recipe)},
        "tokenizer": backbone.tokenizer.pack() if backbone.tokenizer is not None else None,
    }
    # Copies, because weights that share memory would be refused where they are written.
    weights = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in backbone.network.state_dict().items()
    }
    return Packed(about, weights)


def unpack(packed: Packed, *, fingerprint: str) -> Backbone:
    """Build the backbone that was packed; no source of weights is asked.

    Parameters
    ----------
    packed : Packed
        May come from anywhere: nothing in it is executed.
    fingerprint : str
        Of the backbone that was packed.

    Raises
    ------
    WeightsError
        If what comes out is not exactly that.
    BackboneError
        If the libraries here do not build such a network.
    """
    about = packed.about
    recipe = _recipe(about["recipe"])
    tokenizer = about["tokenizer"]
    with torch.inference_mode(False):
        backbone = Backbone(
            str(about["name"]),
            source=str(about["source"]),
            licence=str(about["licence"]),
            library=str(about["library"]),
            network=_network(about["blueprint"], recipe, packed.weights, str(about["name"])),
            recipe=recipe,
            tokenizer=TextTokenizer.unpack(tokenizer) if tokenizer is not None else None,
            blueprint=about["blueprint"],
        )
    _check_same(backbone, fingerprint)
    return backbone


def _network(
    blueprint: Mapping[str, Any],
    recipe: ImageRecipe | TextRecipe,
    weights: StateDict,
    name: str,
) -> StagedNetwork:
    if blueprint["builder"] not in _BUILDERS:
        raise BackboneError(f"{name!r} names no builder of networks: {blueprint['builder']!r}.")
    builder = import_module(f"sktransfer.backbones.{blueprint['builder']}")
    # First without memory: a file of a few bytes could describe a network of terabytes.
    try:
        with torch.device("meta"):
            planned = builder.rebuild(blueprint, recipe).state_dict()
    except NotImplementedError:  # a few networks compute with their weights when they are built
        planned = weights
    refuse_misfits(planned, weights, source=repr(name))
    network = builder.rebuild(blueprint, recipe)
    load_strict(network, weights, source=name)
    return network


def _recipe(about: Mapping[str, Any]) -> ImageRecipe | TextRecipe:
    kind = {"image": ImageRecipe, "text": TextRecipe}[about["kind"]]
    fields = {n: tuple(v) if isinstance(v, list) else v for n, v in about.items() if n != "kind"}
    recipe = kind(**fields)
    sides = recipe.size if isinstance(recipe, ImageRecipe) else ()
    if not all(type(side) is int and 0 < side <= _LARGEST for side in sides):
        raise BackboneError(f"A recipe asks for images of the size {sides!r}.")
    return recipe


def _check_same(backbone: Backbone, fingerprint: str) -> None:
    if backbone.tokenizer is not None and isinstance(backbone.recipe, TextRecipe):
        # The fingerprint holds the recipe, and so the digest that the tokenizer must have.
        same_tokenizer = backbone.tokenizer.digest == backbone.recipe.tokenizer
    else:
        same_tokenizer = backbone.modality == "image"
    if backbone.fingerprint != fingerprint or not same_tokenizer:
        raise WeightsError(
            f"The weights of {backbone.name!r} in this file are not those that it was fitted with "
            f"(fingerprint {backbone.fingerprint}, fitted with {fingerprint}): they were changed, "
            f"or the libraries here build another network from them than {backbone.library} did."
        )
