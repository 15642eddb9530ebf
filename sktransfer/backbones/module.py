"""Backbones from an ``nn.Module`` of the user's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from typing import Any

import numpy as np
import torch
from torch import nn

from sktransfer.backbones import huggingface, timm
from sktransfer.backbones._backbone import Backbone
from sktransfer.backbones._network import (
    POOLED,
    Apply,
    CachedActivation,
    Chain,
    StagedNetwork,
    pool,
)
from sktransfer.backbones._weights import described
from sktransfer.backbones.timm._split_timm import split
from sktransfer.backbones.torchvision._split_torchvision import only_size, stages_of
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import (
    SAMPLES,
    WAVEFORM,
    Recipe,
    mask_of,
    modality_of,
    tensors_of,
)
from sktransfer.modalities.audio import AudioRecipe
from sktransfer.modalities.image import ImageRecipe

NAME = "module"

# Libraries whose version is part of the key of the cache; torch's belongs to the engine.
_LIBRARIES = frozenset({"timm", "torchvision", "transformers"})

# Classes of these libraries that hold a network, and what to pass instead.
_HOMES = frozenset({"deepspeed", "peft", "timm", "torch"})
_WRAPPERS = {
    "AveragedModel": "module.module",
    "DataParallel": "module.module",
    "DeepSpeedEngine": "module.module, with its weights gathered",
    "DistributedDataParallel": "module.module",
    "FullyShardedDataParallel": "the plain network, into which you load the gathered weights",
    "ModelEmaV2": "module.module",
    "ModelEmaV3": "module.module",
    "OptimizedModule": "module._orig_mod, which torch.compile was given",
    "PeftModel": "module.merge_and_unload()",
    "ScriptModule": "the network that was scripted or traced",
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
        If the module is a wrapper of another, cannot be copied, does not take images of its
        recipe's size, does not return one tensor with one entry per row, or has hooks where it is
        taken apart into stages.
    """
    name = type(module).__name__
    _refuse_wrapper(module)
    recipe = _recipe_of(module, modality)
    try:
        net = original({"module": module}, recipe).eval()
    except Exception as error:
        raise BackboneError(f"{name} cannot be copied: {described(error)}.") from error
    try:
        network, recipe = _staged(net, recipe)
        rows, features = _try_out(network, recipe)
    except Exception as error:  # whatever the user's code raises
        raise _does_not_take(name, recipe, error) from error
    _check_features(features, rows, name)
    if isinstance(recipe, AudioRecipe):
        _check_lengths(network, recipe, name)
    _refuse_bypassed_hooks(net, network)
    library = _library(module)
    return Backbone(name, source=NAME, network=network, recipe=recipe, library=library)


def original(blueprint: Mapping[str, Any], recipe: Recipe) -> nn.Module:
    """Return a copy of the user's module, which stands in the blueprint."""
    return copy.deepcopy(blueprint["module"]).to("cpu", torch.float32)


def staged(net: nn.Module, blueprint: Mapping[str, Any], recipe: Recipe) -> StagedNetwork:
    """Make the network of the modules of a copy of the user's."""
    return _staged(net, recipe)[0]


def _refuse_wrapper(module: nn.Module) -> None:
    for kind in type(module).__mro__:
        if kind.__name__ in _WRAPPERS and kind.__module__.partition(".")[0] in _HOMES:
            raise BackboneError(
                f"The wrapper {kind.__name__} cannot be a backbone; pass the network in it: "
                f"{_WRAPPERS[kind.__name__]}."
            )


def _recipe_of(module: nn.Module, modality: str) -> Any:
    # Without a stated recipe, images are prepared as for ImageNet.
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
    if isinstance(recipe, ImageRecipe):
        if timm.is_whole(net):
            return split(net), recipe
        if (parts := stages_of(net)) is not None:
            return parts[0], recipe
        if (found := huggingface.stages_of(net)) is not None:
            return found[0], recipe if hasattr(net, "recipe") else found[1]
    if isinstance(recipe, AudioRecipe):
        return _OfSounds(_children(net), masked=recipe.masked), recipe
    return Chain(_children(net), Apply(_mean)), recipe


class _OfSounds(Chain):
    """Stages of a module for sounds; what pads a row does not change its features.

    Parameters
    ----------
    stages : mapping of str to nn.Module
        In order.
    masked : bool
        Whether the module is given the number of samples of each row, or rows of one length.
    """

    # The lengths of the outputs between stages are the module's own.
    resumes = False

    def __init__(self, stages: Mapping[str, nn.Module], *, masked: bool) -> None:
        super().__init__(stages, Apply(_mean))
        self.masked = masked

    def forward(
        self, inputs: Any, until: str = POOLED, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Run the stages up to and including `until`."""
        mask = mask_of(inputs)
        if mask is not None:
            last = list(self.stages)[-1]
            activation = super().forward(inputs, last if until == POOLED else until)
            _check_positions(activation, mask.shape[1])
            return pool(activation, "mean", self, mask) if until == POOLED else activation
        if self.masked or isinstance(inputs, torch.Tensor):
            return super().forward(inputs, until)
        waveform, samples = inputs[WAVEFORM], inputs[SAMPLES]
        run = super().forward  # which a comprehension cannot call by this name
        groups = [(samples == n).nonzero()[:, 0] for n in samples.unique()]
        outputs = [run(waveform[rows, : samples[rows[0]]], until) for rows in groups]
        return torch.cat(outputs)[torch.cat(groups).argsort()]


def _check_positions(activation: Any, expected: int) -> None:
    """Refuse positions in time that are not those of the recipe; one more may follow them."""
    found = activation.shape[1] if activation.ndim == 3 else expected
    if not expected <= found <= expected + 1:
        raise BackboneError(
            f"there are {found} positions in time, and {expected} by the window and hop of its "
            "recipe; the shape must be (n, positions, channels)"
        )


def _children(net: nn.Module) -> dict[str, nn.Module]:
    # A subclass, or a hook, may do more than call one child after another.
    plain = type(net).forward is nn.Sequential.forward
    if not plain or net._forward_hooks or net._forward_pre_hooks or not len(list(net.children())):
        return {"network": net}
    children = net._modules.items()
    return {f"stage{n}" if n.isdigit() else n: child for n, child in children if child is not None}


def _mean(activation: Any) -> Any:
    """Average over places or tokens; other outputs are left to `load`, which refuses them."""
    has_places = isinstance(activation, torch.Tensor) and activation.ndim in (3, 4)
    return activation.mean(1 if activation.ndim == 3 else (2, 3)) if has_places else activation


@torch.inference_mode()
def _try_out(network: StagedNetwork, recipe: Recipe) -> tuple[int, Any]:
    """Return the number of blank cells tried, and the output for them."""
    # Two rows tell an output with one entry per row from others.
    return 2, network(recipe.blank(2))


def _check_features(features: Any, rows: int, name: str) -> None:
    what = f"a {type(features).__name__}"
    if isinstance(features, torch.Tensor):
        is_matrix = features.ndim == 2 and len(features) == rows and features.shape[1]
        is_plain = features.layout is torch.strided and features.device.type == "cpu"
        if is_matrix and is_plain and features.is_floating_point():
            return
        kind = f"{features.layout}, {features.dtype}, {features.device}".replace("torch.", "")
        what = f"a tensor ({kind}) of shape {tuple(features.shape)} for {rows} rows"
    raise BackboneError(
        f"{name} returns {what}. Wrap it in a module whose forward returns one tensor of features, "
        "of a floating-point type: (n, d), (n, channels, height, width) or (n, tokens, channels)."
    )


@torch.inference_mode()
def _check_lengths(network: StagedNetwork, recipe: AudioRecipe, name: str) -> None:
    """Refuse features of which the number depends on the length of a recording."""
    lengths = [min(recipe.longest, recipe.window + n * recipe.hop) for n in (3, 9)]
    silent = [recipe.inputs([np.zeros(length, dtype=np.float32)]) for length in lengths]
    widths = [network(inputs).shape[1] for inputs in silent]
    if widths[0] != widths[1]:
        raise BackboneError(
            f"{name} returns {widths[0]} features of {lengths[0]} samples, and {widths[1]} of "
            f"{lengths[1]}. Its last axis must be that of the channels: (n, d), or (n, positions, "
            "channels), of which the mean over time is taken."
        )


def _refuse_bypassed_hooks(net: nn.Module, network: StagedNetwork) -> None:
    """Refuse hooks, and a replaced forward, of what is not called itself but by its children."""
    kept = set(network.modules())
    for place, part in net.named_modules():
        hooked = part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part)
        if hooked and part not in kept and kept.intersection(part.modules()):
            raise BackboneError(
                f"{type(net).__name__} is taken apart into stages, so hooks or a replaced forward "
                f"of {place or 'the network itself'} would not be called. Remove them, or wrap the "
                "network in a module of your own whose forward returns the features."
            )


def _does_not_take(name: str, recipe: Recipe, error: Exception) -> BackboneError:
    shapes = [tuple(tensor.shape[1:]) for tensor in tensors_of(recipe.blank(1))]
    noun = modality_of(recipe.modality).noun
    kind = type(recipe).__name__
    return BackboneError(
        f"{name} does not take {noun}s of shape {', '.join(map(str, shapes))}, on which it was "
        f"tried: {described(error)}. If it is made for another size, set it in the module "
        f"(parameters such as image_size= only change a size that works): module.recipe = "
        f"sktransfer.backbones.{kind}(...)."
    )
