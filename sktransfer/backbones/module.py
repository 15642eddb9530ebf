"""Any ``nn.Module`` of the user's as a backbone."""

from __future__ import annotations

import copy
from dataclasses import replace
from importlib import metadata
from typing import Any

import torch
from torch import nn

from sktransfer.backbones import huggingface, timm, torchvision
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import Chain, Layout, StagedNetwork, pool
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import Recipe, modality_of, tensors_of
from sktransfer.modalities.image import ImageRecipe

NAME = "module"

# Their code is told by name and version; torch's belongs to the engine.
_LIBRARIES = frozenset({"timm", "torchvision", "transformers"})


def load(module: nn.Module, *, modality: str) -> Backbone:
    """Make a backbone of a copy of the module; the user's own object stays as it is.

    Models of torchvision, timm and transformers get the stages that they have by name; in an
    ``nn.Sequential`` every child is a stage; anything else is the one stage "network".
    The outputs of other modules are the features, averaged over places.

    Parameters
    ----------
    module : nn.Module
        Takes network inputs, such as images (n, 3, H, W). An attribute ``recipe``, such as an
        `ImageRecipe`, says how its cells are prepared; images have a default.
    modality : str
        Name of the modality of its cells.

    Raises
    ------
    BackboneError
        If the module cannot be copied, does not take images of its recipe's size, or gives
        something else than one tensor with an entry a row.
    """
    name = type(module).__name__
    recipe_of(module, modality)  # raises where modules of this modality need one and have none
    try:
        net = copy.deepcopy(module).to("cpu", torch.float32).eval()
    except Exception as error:
        raise BackboneError(f"{name} cannot be copied: {_described(error)}.") from error
    recipe = recipe_of(net, modality)
    try:
        network, recipe = _staged(net, recipe)
        rows, features = _try_out({"network": network}, recipe)
    except Exception as error:  # whatever the user's code raises
        raise _does_not_take(name, recipe, error) from error
    _check_features(features[0], rows, name)
    library = _library(module)
    return Backbone(name, source=NAME, network=network, recipe=recipe, library=library)


def recipe_of(module: nn.Module, modality: str) -> Any:
    """Return how cells are prepared for a module: as it says; else images as ImageNet's."""
    if modality != "image" or isinstance(getattr(module, "recipe", None), ImageRecipe):
        return modality_of(modality).module_recipe(module)
    if timm.is_whole(module):
        return timm.recipe_of(module)
    if type(module).__module__.startswith("torchvision.models."):
        only = torchvision.only_size(module)
        return replace(ImageRecipe().at(only), fixed_size=only is not None)
    return ImageRecipe()


def _library(module: nn.Module) -> str:
    """Return name and version of each library whose classes the module is made of."""
    kinds = {kind for part in module.modules() for kind in type(part).__mro__}
    used = {kind.__module__.partition(".")[0] for kind in kinds} & _LIBRARIES
    return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(used))


def _staged(net: nn.Module, recipe: Any) -> tuple[StagedNetwork, Any]:
    """Return the network as stages, without its classifier, and the recipe."""
    if not isinstance(recipe, ImageRecipe):
        return _plain(net, recipe), recipe
    if timm.is_whole(net):
        return timm.split(net, recipe.size), recipe
    parts = torchvision.stages_of(net)
    if parts is not None:
        return parts[0], recipe
    found = huggingface.stages_of(net)
    if found is not None:
        return found[0], recipe if hasattr(net, "recipe") else found[1]
    return _plain(net, recipe), recipe


def _plain(net: nn.Module, recipe: Recipe) -> Chain:
    stages = _children(net)
    _, outputs = _try_out(stages, recipe)
    if not all(isinstance(output, torch.Tensor) for output in outputs[:-1]):
        stages = {"network": net}
    last = outputs[-1]
    tokens = isinstance(last, torch.Tensor) and last.ndim == 3
    layout: Layout = "NLC" if tokens else "NCHW"
    return Chain(stages, _Mean(layout), layout=layout)


def _children(net: nn.Module) -> dict[str, nn.Module]:
    # A subclass may do more than call one child after another, and so may hooks.
    plain = type(net).forward is nn.Sequential.forward
    if not plain or net._forward_hooks or net._forward_pre_hooks or not len(list(net.children())):
        return {"network": net}
    children = net._modules.items()
    return {f"stage{n}" if n.isdigit() else n: child for n, child in children if child is not None}


def _try_out(stages: dict[str, nn.Module], recipe: Recipe) -> tuple[int, list[Any]]:
    """Return the number of blank cells tried, and the output of each stage for them."""
    # No rows show the shape of an output, at no cost; where a network does not take an empty
    # batch, two rows tell an output with a row axis from one without.
    try:
        return 0, _outputs(stages, recipe.blank(0))
    except Exception:
        return 2, _outputs(stages, recipe.blank(2))


def _outputs(stages: dict[str, nn.Module], inputs: Any) -> list[Any]:
    outputs: list[Any] = [inputs]
    with torch.inference_mode():
        for stage in stages.values():
            outputs.append(stage(outputs[-1]))
    return outputs[1:]


class _Mean(nn.Module):
    """Averages over places or tokens, where there are any."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, activation: Any) -> Any:
        """Return (n, d); other outputs are returned as they are, and refused by `load`."""
        if not isinstance(activation, torch.Tensor) or activation.ndim not in (3, 4):
            return activation
        return pool(activation, "mean", layout=self.layout)


def _check_features(features: Any, rows: int, name: str) -> None:
    if not isinstance(features, torch.Tensor):
        raise BackboneError(
            f"{name} gives a {type(features).__name__}, not one tensor. Wrap it in a module "
            "whose forward returns the tensor that is to be the features."
        )
    if features.ndim != 2 or len(features) != rows:
        raise BackboneError(
            f"{name} gives a tensor of shape {tuple(features.shape)} for {rows} rows. Its "
            "first axis must be the rows: (n, d), (n, channels, height, width) or "
            "(n, tokens, channels)."
        )


def _does_not_take(name: str, recipe: Recipe, error: Exception) -> BackboneError:
    shapes = [tuple(tensor.shape[1:]) for tensor in tensors_of(recipe.blank(0))]
    noun = modality_of(recipe.modality).noun
    kind = type(recipe).__name__
    return BackboneError(
        f"{name} does not take {noun}s of shape {', '.join(map(str, shapes))}, on which it was "
        f"tried: {_described(error)}. If it is made for another size, set it in the module "
        f"(parameters such as image_size= only change a size that works): module.recipe = "
        f"sktransfer.modalities.{kind}(...)."
    )


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")
