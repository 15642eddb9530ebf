"""Backbones from an ``nn.Module`` of the user's."""

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

# Libraries whose version is part of the key of the cache; torch's belongs to the engine.
_LIBRARIES = frozenset({"timm", "torchvision", "transformers"})

# Libraries of the wrappers below.
_HOMES = frozenset({"deepspeed", "peft", "timm", "torch"})

# Classes that hold a network without changing what it computes, and where.
_WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",  # torch.compile
    "AveragedModel": "module",
    "ModelEma": "ema",
    "ModelEmaV2": "module",
    "ModelEmaV3": "module",
}

# Classes that hold a network in another form, by the advice for each.
_REFUSED = {
    "FullyShardedDataParallel": "gather its weights and load them into the plain network",
    "PeftModel": "merge the adapter: module.merge_and_unload()",
    "DeepSpeedEngine": "pass engine.module, with its weights gathered",
}


def load(module: nn.Module, *, modality: str) -> Backbone:
    """Make a backbone of a copy of a module; the user's own object is not changed.

    Models of torchvision, timm and transformers get the stages that they have by name, and their
    classifier is left out; in an ``nn.Sequential`` every child is a stage; any other module is the
    one stage "network". The output of other modules is taken as features, averaged over places.

    Parameters
    ----------
    module : nn.Module
        Takes images (n, 3, H, W), and is not wrapped (see `unwrap`). An attribute ``recipe``, an
        `ImageRecipe`, states how images are prepared.
    modality : {"image", "text"}
        Texts need a tokenizer, which a module does not have.

    Raises
    ------
    BackboneError
        If the module cannot be copied, does not take images of its recipe's size, or does not
        return one tensor with one entry per row.
    """
    name = type(module).__name__
    if modality != "image":
        raise BackboneError(
            f"A module ({name}) cannot be a backbone for {modality}s, because its tokenizer is not "
            "known. Pass a name, a Hugging Face id, or the folder that model.save_pretrained and "
            "tokenizer.save_pretrained have written."
        )
    try:
        net = copy.deepcopy(module).to("cpu", torch.float32).eval()
    except Exception as error:
        raise BackboneError(f"{name} cannot be copied: {_shown(error)}.") from error
    recipe = recipe_of(net)
    try:
        network, recipe = _staged(net, recipe)
        rows, features = _try_out({"network": network}, recipe)
    except Exception as error:  # whatever the user's code throws
        raise _does_not_take(name, recipe, error) from error
    _check_features(features[0], rows, name)
    library = _library(module)
    return Backbone(name, source=NAME, network=network, recipe=recipe, library=library)


def unwrap(module: nn.Module) -> nn.Module:
    """Return the network inside of wrappers for several devices, compilation and averaging.

    Raises
    ------
    BackboneError
        If a wrapper holds the network in another form, or has hooks.
    """
    recipe = None
    while True:
        # Of a subclass of the user's only where it inherits its forward.
        forward = type(module).forward
        kinds = {
            kind.__name__
            for kind in type(module).__mro__
            if kind.__module__.partition(".")[0] in _HOMES
            and getattr(kind, "forward", None) is forward
        }
        for kind in kinds & _REFUSED.keys():
            raise BackboneError(f"A {kind} cannot be a backbone: {_REFUSED[kind]}.")
        wrapper = next(iter(kinds & _WRAPPERS.keys()), None)
        if wrapper is None:
            break
        if module._forward_hooks or module._forward_pre_hooks:
            raise BackboneError(
                f"The {wrapper} has hooks of its own, which would be lost. Register them on the "
                "network inside of it, and pass that."
            )
        recipe = recipe or vars(module).get("recipe")
        module = getattr(module, _WRAPPERS[wrapper])
    if recipe is not None and not hasattr(module, "recipe"):
        module = copy.copy(module)  # the user's own object stays as it is
        module.recipe = recipe
    return module


def recipe_of(module: nn.Module) -> ImageRecipe:
    """Return the recipe that a module states, or ImageNet's."""
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
    """Return name and version of each library that a class of the module comes from."""
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
    # A subclass, or a hook, may do more than call one child after another.
    plain = type(net).forward is nn.Sequential.forward
    if not plain or net._forward_hooks or net._forward_pre_hooks or not len(list(net.children())):
        return {"network": net}
    children = net._modules.items()
    return {f"stage{n}" if n.isdigit() else n: child for n, child in children if child is not None}


def _try_out(stages: dict[str, nn.Module], recipe: ImageRecipe) -> tuple[int, list[Any]]:
    """Return a number of blank images, and the outputs of each stage for them."""
    # An empty batch costs nothing. Where a network does not take one, two images show whether an
    # output has an axis of rows.
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
        """Return (n, d), or anything but an activation as it is, for `load` to refuse."""
        if not isinstance(activation, torch.Tensor) or activation.ndim not in (3, 4):
            return activation
        return pool(activation, "mean", layout=self.layout)


def _check_features(features: Any, rows: int, name: str) -> None:
    if not isinstance(features, torch.Tensor):
        raise BackboneError(
            f"{name} returns a {type(features).__name__}, not one tensor. Wrap it in a module "
            "whose forward returns the tensor of features."
        )
    if features.ndim != 2 or len(features) != rows:
        raise BackboneError(
            f"{name} returns a tensor of shape {tuple(features.shape)} for {rows} images. Its "
            "first axis must be the rows: (n, d), (n, channels, height, width) or "
            "(n, tokens, channels)."
        )


def _does_not_take(name: str, recipe: ImageRecipe, error: Exception) -> BackboneError:
    height, width = recipe.size
    return BackboneError(
        f"{name} does not take images of shape (3, {height}, {width}), on which it was tried: "
        f"{_shown(error)}. If it is made for another size, set that on the module, because "
        "image_size= needs one that works: module.recipe = "
        "sktransfer.backbones.ImageRecipe(size=(64, 64), resize=64)."
    )


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")
