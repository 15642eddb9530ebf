"""A backbone as plain data: weights, and what is needed to build its network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import StagedNetwork
from sktransfer.backbones._weights import StateDict, load_strict, refuse_misfits
from sktransfer.exceptions import BackboneError, WeightsError
from sktransfer.modalities import MODALITIES, Recipe, modality_of

# Sources with two functions: `original(blueprint, recipe)` builds the library's own model with
# random weights, and `staged(model, blueprint, recipe)` makes the network of its modules.
_BUILDERS = frozenset({"huggingface", "log_mel", "timm", "torchvision"})

# Attributes of a backbone that are texts.
_TEXTS = ("name", "source", "licence", "library")

# Backbones whose weights came from a standalone file, in place of weights on this machine.
_from_files: dict[tuple[str, str, str | None], Backbone] = {}


def pack(backbone: Backbone) -> tuple[dict[str, Any], StateDict]:
    """Return a backbone as data.

    Returns
    -------
    about : dict
        Plain JSON.
    weights : dict of str to Tensor
        Of the network, by name.

    Raises
    ------
    BackboneError
        If its network is made by code of the user's, or it is a model that writes texts.
    """
    if not isinstance(backbone, Backbone):
        raise BackboneError(
            f"The model {backbone.name!r} cannot be packed into a file: save with "
            "standalone=False, and have its package or folder where the file is loaded."
        )
    if backbone.blueprint is None:
        raise BackboneError(
            f"{backbone.name!r} cannot be packed into a file: its network is made by code that "
            "only you have. Name an architecture of a library, and pass your weights for it as "
            "weights=."
        )
    about = {name: getattr(backbone, name) for name in (*_TEXTS, "modality")}
    about |= {
        "blueprint": dict(backbone.blueprint),
        "recipe": backbone.recipe.to_dict(),
        "processor": backbone.processor and backbone.processor.to_dict(),
    }
    # Copies, because weights that share memory would be refused where they are written.
    weights = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in backbone.network.state_dict().items()
    }
    return about, weights


def unpack(about: Mapping[str, Any], weights: StateDict, *, fingerprint: str) -> Backbone:
    """Build the backbone that was packed, without its source of weights.

    Parameters
    ----------
    about, weights
        As `pack` returns them. May come from anywhere: nothing in them is executed.
    fingerprint : str
        Of the backbone that was packed.

    Raises
    ------
    WeightsError
        If the fingerprint of the result is another.
    BackboneError
        If the libraries here do not build such a network.
    """
    if about["modality"] not in MODALITIES:
        raise BackboneError(f"A backbone is of the unknown modality {about['modality']!r}.")
    modality = modality_of(about["modality"])
    recipe = modality.recipe_type.from_dict(about["recipe"])
    processor = about["processor"] and modality.processor_from_dict(about["processor"])
    recipe.check(processor)
    with torch.inference_mode(False):
        texts: dict[str, Any] = {name: str(about[name]) for name in _TEXTS}
        backbone = Backbone(
            **texts,
            network=_network(about["blueprint"], recipe, weights, str(about["name"])),
            recipe=recipe,
            processor=processor,
            blueprint=about["blueprint"],
        )
    if backbone.fingerprint != fingerprint:
        raise WeightsError(
            f"The weights of {backbone.name!r} in this file are not those of the fit "
            f"(fingerprint {backbone.fingerprint}, fitted with {fingerprint}): they were changed, "
            f"or the libraries here build another network from them than {backbone.library} did."
        )
    return backbone


def keep_from_file(backbone: Backbone, *, named: str, weights: str | None) -> None:
    """Keep a backbone for the estimators that were fitted with it.

    A request by name alone still gets the weights of this machine, so a file cannot replace the
    weights of other estimators.

    Parameters
    ----------
    backbone : Backbone
        As `unpack` returns it.
    named, weights : str
        The parameters ``backbone`` and ``weights`` of those estimators.
    """
    _from_files[backbone.fingerprint, named, weights] = backbone


def find_from_file(fingerprint: str, backbone: object, weights: object) -> Backbone | None:
    """Return the backbone kept for an estimator with these parameters and this fingerprint."""
    if not isinstance(backbone, str | Path):
        return None
    given = None if weights is None else str(weights)
    return _from_files.get((fingerprint, str(backbone), given))


def _network(
    blueprint: Mapping[str, Any], recipe: Recipe, weights: StateDict, name: str
) -> StagedNetwork:
    if blueprint["builder"] not in _BUILDERS:
        raise BackboneError(f"{name!r} names no builder of networks: {blueprint['builder']!r}.")
    builder = import_module(f"sktransfer.backbones.{blueprint['builder']}")

    def build() -> StagedNetwork:
        return builder.staged(builder.original(blueprint, recipe), blueprint, recipe)

    # First without memory: a file of a few bytes could describe a network of terabytes.
    try:
        with torch.device("meta"):
            planned = build().state_dict()
    except NotImplementedError:  # a few networks compute with their weights while built
        planned = weights
    refuse_misfits(planned, weights, source=repr(name))
    network = build()
    load_strict(network, weights, source=name)
    return network
