"""Backbones from an ``nn.Module`` of the user's."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from importlib import metadata
from typing import Any

import torch
from torch import nn

from sktransfer.backbones import huggingface, timm
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import Apply, Chain, Layout, StagedNetwork, pool
from sktransfer.backbones.timm._split_timm import split
from sktransfer.backbones.torchvision._split_torchvision import only_size, stages_of
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import Recipe, modality_of, tensors_of
from sktransfer.modalities.image import ImageRecipe

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
        Takes network inputs, such as images (n, 3, H, W). An attribute ``recipe``, such as an
        `ImageRecipe`, says how its cells are prepared; images have a default.
    modality : str
        Name of the modality of its cells.

    Raises
    ------
    BackboneError
        If the module cannot be copied, does not take images of its recipe's size, or does not
        return one tensor with one entry per row.
    """
    name = type(module).__name__
    recipe = recipe_of(module, modality)
    try:
        net = copy.deepcopy(module).to("cpu", torch.float32).eval()
    except Exception as error:
        raise BackboneError(f"{name} cannot be copied: {_described(error)}.") from error
    try:
        network, recipe = _staged(net, recipe)
        rows, features = _try_out({"network": network}, recipe)
    except Exception as error:  # whatever the user's code raises
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
    while (wrapper := _wrapper_of(module)) is not None:
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


def _wrapper_of(module: nn.Module) -> str | None:
    # A subclass of the user's is a wrapper only where it inherits its forward.
    names = {
        kind.__name__
        for kind in type(module).__mro__
        if kind.__module__.partition(".")[0] in _HOMES
        and getattr(kind, "forward", None) is type(module).forward
    }
    for name in names & _REFUSED.keys():
        raise BackboneError(f"A {name} cannot be a backbone: {_REFUSED[name]}.")
    return next(iter(names & _WRAPPERS.keys()), None)


def recipe_of(module: nn.Module, modality: str) -> Any:
    """Return the recipe that a module states; without one, ImageNet's for images."""
    if modality != "image" or isinstance(getattr(module, "recipe", None), ImageRecipe):
        return modality_of(modality).module_recipe(module)
    if timm.is_whole(module):
        return timm.recipe_of(module)
    if type(module).__module__.startswith("torchvision.models."):
        only = only_size(module)
        return replace(ImageRecipe().at(only), fixed_size=only is not None)
    return ImageRecipe()


def _library(module: nn.Module) -> str:
    """Return name and version of each library that a class of the module comes from."""
    kinds = {kind for part in module.modules() for kind in type(part).__mro__}
    used = {kind.__module__.partition(".")[0] for kind in kinds} & _LIBRARIES
    return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(used))


def _staged(net: nn.Module, recipe: Any) -> tuple[StagedNetwork, Any]:
    """Return the network as stages, without its classifier, and the recipe."""
    if not isinstance(recipe, ImageRecipe):
        return _plain(net, recipe), recipe
    if timm.is_whole(net):
        return split(net, recipe.size), recipe
    parts = stages_of(net)
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
    return Chain(stages, Apply(partial(_mean, layout=layout)), layout=layout)


def _children(net: nn.Module) -> dict[str, nn.Module]:
    # A subclass, or a hook, may do more than call one child after another.
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


def _mean(activation: Any, layout: Layout) -> Any:
    """Average over places or tokens; other outputs are left to `load`, which refuses them."""
    if not isinstance(activation, torch.Tensor) or activation.ndim not in (3, 4):
        return activation
    return pool(activation, "mean", layout=layout)


def _check_features(features: Any, rows: int, name: str) -> None:
    if not isinstance(features, torch.Tensor):
        raise BackboneError(
            f"{name} returns a {type(features).__name__}, not one tensor. Wrap it in a module "
            "whose forward returns the tensor of features."
        )
    if features.ndim != 2 or len(features) != rows:
        raise BackboneError(
            f"{name} returns a tensor of shape {tuple(features.shape)} for {rows} rows. Its "
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
        f"sktransfer.backbones.{kind}(...)."
    )


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")
