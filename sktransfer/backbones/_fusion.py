"""Batch norms of a frozen network, folded into the convolutions before them."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sktransfer.backbones._network import Chain, StagedNetwork

# Other subclasses may do something to their weights first. Conv2dSame is timm's, and pads.
_CONVOLUTIONS = frozenset({"Conv2d", "Conv2dSame"})

# In float32 a fused network differs from the plain one by about a hundredth of this.
_TOLERANCE = 1e-4


def fused(network: StagedNetwork, images: torch.Tensor) -> StagedNetwork:
    """Return a network that gives the same with fewer steps, for inference only.

    A frozen batch norm scales and shifts each channel by constants, and a convolution can do
    that itself. Which follows which is seen on some images. torch.fx would tell it from the code,
    but changes `nn.Module` for all threads of the process while it looks.

    Parameters
    ----------
    network : StagedNetwork
        In eval mode; it is not changed, and stages in which nothing is to be done are not copied.
    images : Tensor of shape (n, 3, H, W)
        What every stage is tried on: one that then gives something else stays as it is.

    Returns
    -------
    StagedNetwork
    """
    if not isinstance(network, Chain):
        return network
    stages: dict[str, nn.Module] = {}
    activation = images
    # Not in inference mode, in which tensors do not tell whether they were changed.
    with torch.inference_mode(False), torch.no_grad():
        for name, stage in network.stages.items():
            stages[name] = _fused_stage(stage, activation)
            activation = stage(activation)
    if all(stages[name] is stage for name, stage in network.stages.items()):
        return network
    other = Chain(
        stages, network.pooled, layout=network.layout, prefix_tokens=network.prefix_tokens
    ).eval()
    return other if _agree(network, other, images) else network


def _fused_stage(stage: nn.Module, activation: Any) -> nn.Module:
    if not any(isinstance(module, nn.BatchNorm2d) for module in stage.modules()):
        return stage
    try:
        pairs = _pairs(_copy_with_the_same_weights(stage), activation)
        other = _copy_with_the_same_weights(stage)
        for conv, norm in pairs:
            _fuse(other, conv, norm)
        return other if pairs and _agree(stage, other, activation) else stage
    except Exception:  # code that wants its norms to be norms, for one
        return stage


def _copy_with_the_same_weights(stage: nn.Module) -> nn.Module:
    shared = {id(tensor): tensor for tensor in (*stage.parameters(), *stage.buffers())}
    return copy.deepcopy(stage, shared)


def _pairs(stage: nn.Module, activation: Any) -> list[tuple[str, str]]:
    """Return the names of each convolution whose output goes to a batch norm, and of that norm.

    The stage has hooks afterwards.
    """
    calls: Counter[nn.Module] = Counter()
    seen: list[tuple[nn.Module, torch.Tensor, int]] = []  # keeps outputs, so that each is another
    pairs: list[tuple[nn.Module, nn.Module]] = []

    def convolved(conv: nn.Module, args: Any, output: torch.Tensor) -> None:
        calls[conv] += 1
        seen.append((conv, output, output._version))

    def to_be_normed(norm: nn.Module, args: Any) -> None:
        calls[norm] += 1
        # Not where something was done to it meanwhile, in its place.
        pairs.extend(
            (conv, norm)
            for conv, output, version in seen
            if args and args[0] is output and output._version == version
        )

    for module in stage.modules():
        if type(module).__name__ in _CONVOLUTIONS:
            module.register_forward_hook(convolved)
        elif _is_norm(module):
            module.register_forward_pre_hook(to_be_normed)
    stage(activation)
    names = {module: name for name, module in stage.named_modules()}
    return [
        (names[conv], names[norm]) for conv, norm in pairs if calls[conv] == 1 and calls[norm] == 1
    ]


def _is_norm(module: nn.Module) -> bool:
    is_known = type(module) is nn.BatchNorm2d or _has_activation(module)
    return is_known and bool(getattr(module, "track_running_stats", False))


def _has_activation(module: nn.Module) -> bool:
    """Whether it is a norm of timm's, which drops and activates too."""
    return isinstance(module, nn.BatchNorm2d) and hasattr(module, "drop") and hasattr(module, "act")


def _fuse(stage: nn.Module, conv: str, norm: str) -> None:
    parts: tuple[Any, Any] = stage.get_submodule(conv), stage.get_submodule(norm)
    stage.set_submodule(conv, fuse_conv_bn_eval(*parts))
    is_both = _has_activation(parts[1])
    rest = nn.Sequential(parts[1].drop, parts[1].act) if is_both else nn.Identity()
    stage.set_submodule(norm, rest)


def _agree(one: nn.Module, other: nn.Module, inputs: Any) -> bool:
    with torch.inference_mode():
        expected, found = one(inputs), other(inputs)
    scale = float(expected.abs().max())
    return bool((expected - found).abs().max() <= _TOLERANCE * scale)
