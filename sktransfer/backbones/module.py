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
from sktransfer.backbones._recipe import ImageRecipe
from sktransfer.exceptions import BackboneError

NAME = "module"

# Their code is told by name and version; torch's belongs to the engine.
_LIBRARIES = frozenset({"timm", "torchvision", "transformers"})


def load(module: nn.Module, *, modality: str) -> Backbone:
    """Make a backbone of a copy of the module; the user's own object stays as it is.

    Models of torchvision, timm and transformers get the stages that they have by name; in an
    ``nn.Sequential`` every child is a stage; anything else is the one stage "network".
    What another module than these gives is taken for the features, averaged over places.

    Parameters
    ----------
    module : nn.Module
        Takes images (n, 3, H, W). With an attribute ``recipe``, an `ImageRecipe`, it says how
        they are prepared.
    modality : {"image", "text"}
        Texts need a tokenizer, which no module has.

    Raises
    ------
    BackboneError
        If the module cannot be copied, does not take images of its recipe's size, or gives
        something else than one tensor with an entry a row.
    """
    name = type(module).__name__
    if modality != "image":
        raise BackboneError(
            f"A module ({name}) is no backbone for {modality}s, because the tokenizer that "
            "belongs to it is not known. Pass a name, a Hugging Face id, or the folder that "
            "model.save_pretrained and tokenizer.save_pretrained have written."
        )
    try:
        net = copy.deepcopy(module).to("cpu", torch.float32).eval()
    except Exception as error:
        raise BackboneError(f"{name} cannot be copied: {_told(error)}.") from error
    recipe = recipe_of(net)
    try:
        network, recipe = _staged(net, recipe)
        rows, features = _try_out({"network": network}, recipe)
    except Exception as error:  # whatever the user's code throws
        raise _does_not_take(name, recipe, error) from error
    _check_features(features[0], rows, name)
    library = _library(module)
    return Backbone(name, source=NAME, network=network, recipe=recipe, library=library)


def recipe_of(module: nn.Module) -> ImageRecipe:
    """Return how images are prepared for a module: as it says, or as ImageNet's are."""
    own = getattr(module, "recipe", None)
    if isinstance(own, ImageRecipe):
        return own
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


def _staged(net: nn.Module, recipe: ImageRecipe) -> tuple[StagedNetwork, ImageRecipe]:
    """Return the network as stages, without its classifier, and the recipe."""
    if timm.is_whole(net):
        return timm.split(net, recipe.size), recipe
    parts = torchvision.stages_of(net)
    if parts is not None:
        return parts[0], recipe
    found = huggingface.stages_of(net)
    if found is not None:
        return found[0], recipe if hasattr(net, "recipe") else found[1]
    return _plain(net, recipe), recipe


def _plain(net: nn.Module, recipe: ImageRecipe) -> Chain:
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


def _try_out(stages: dict[str, nn.Module], recipe: ImageRecipe) -> tuple[int, list[Any]]:
    """Return how many blank images were tried, and what each stage gives for them."""
    # None is enough to see what comes out, and costs nothing; where a network does not take
    # that, two of them tell an output with a row axis from one without.
    try:
        return 0, _outputs(stages, torch.zeros(0, 3, *recipe.size, dtype=torch.float32))
    except Exception:
        return 2, _outputs(stages, torch.zeros(2, 3, *recipe.size, dtype=torch.float32))


def _outputs(stages: dict[str, nn.Module], images: torch.Tensor) -> list[Any]:
    outputs: list[Any] = [images]
    with torch.inference_mode():
        for stage in stages.values():
            outputs.append(stage(outputs[-1]))
    return outputs[1:]


class _Mean(nn.Module):
    """Average over places or tokens, where there are any."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, activation: Any) -> Any:
        """Return (n, d); what is no activation is passed on, for `load` to complain of."""
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
            f"{name} gives a tensor of shape {tuple(features.shape)} for {rows} images. Its "
            "first axis must be the rows: (n, d), (n, channels, height, width) or "
            "(n, tokens, channels)."
        )


def _does_not_take(name: str, recipe: ImageRecipe, error: Exception) -> BackboneError:
    height, width = recipe.size
    return BackboneError(
        f"{name} does not take images of shape (3, {height}, {width}), on which it was tried: "
        f"{_told(error)}. If it is made for another size, tell the module itself, because "
        "image_size= only changes a size that works: module.recipe = "
        "sktransfer.backbones.ImageRecipe(size=(64, 64), resize=64)."
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")
