"""Batch norms of a frozen network, folded into the convolutions before them."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sktransfer.backbones._network import Chain, StagedNetwork
from sktransfer.modalities import Recipe, map_inputs

# Other subclasses may do something to their weights first. Conv2dSame is timm's, and pads.
_CONVOLUTIONS = frozenset({"Conv2d", "Conv2dSame"})

# In float32 a fused network differs from the plain one by about a hundredth of this.
_TOLERANCE = 1e-4


def fused(network: StagedNetwork, recipe: Recipe) -> StagedNetwork:
    """Return an equivalent network of fewer operations, for inference only.

    A frozen batch norm scales and shifts each channel by constants, which the convolution before
    it can do as well. Which norm follows which convolution is observed on one random cell:
    torch.fx would read it from the code, but patches `nn.Module` for all threads meanwhile.

    Parameters
    ----------
    network : StagedNetwork
        In eval mode; it is not changed, and the result shares the weights that stay.
    recipe : Recipe
        Of its cells. A network whose output on the random cell differs stays as it is.

    Returns
    -------
    StagedNetwork
    """
    if not isinstance(network, Chain) or not _has_norms(network):
        return network
    generator = torch.Generator().manual_seed(0)
    cell = map_inputs(lambda tensor: tensor.normal_(generator=generator), recipe.blank(1))
    other = _copy_sharing_weights(network)
    try:
        pairs = _pairs(_copy_sharing_weights(network), cell)
        for conv, norm in pairs:
            _fuse(other, conv, norm)
        if recipe.channels_last:
            other.to(memory_format=torch.channels_last)
        return other if pairs and _agree(network, other, cell) else network
    except Exception:  # e.g. of code that reads attributes of its norms
        return network


def _has_norms(module: nn.Module) -> bool:
    return any(isinstance(part, nn.BatchNorm2d) for part in module.modules())


def _copy_sharing_weights(network: Chain) -> Chain:
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    return copy.deepcopy(network, shared)


def _pairs(network: Chain, cell: Any) -> list[tuple[str, str]]:
    """Return the names of each convolution whose output goes to a batch norm, and of that norm.

    The network has hooks afterwards.
    """
    calls: Counter[nn.Module] = Counter()
    seen: list[tuple[nn.Module, torch.Tensor, int]] = []
    pairs: list[tuple[nn.Module, nn.Module]] = []

    def convolved(conv: nn.Module, args: Any, output: torch.Tensor) -> None:
        calls[conv] += 1
        seen.append((conv, output, output._version))

    def to_be_normed(norm: nn.Module, args: Any) -> None:
        calls[norm] += 1
        # The version counter shows that the output was not changed in place meanwhile.
        pairs.extend(
            (conv, norm)
            for conv, output, version in seen
            if args and args[0] is output and output._version == version
        )

    for module in network.modules():
        if type(module).__name__ in _CONVOLUTIONS:
            module.register_forward_hook(convolved)
        elif _is_norm(module):
            module.register_forward_pre_hook(to_be_normed)
    # Outside inference mode, in which tensors have no version counters.
    with torch.inference_mode(False), torch.no_grad():
        network(cell)
    names = {module: name for name, module in network.named_modules()}
    return [
        (names[conv], names[norm]) for conv, norm in pairs if calls[conv] == 1 and calls[norm] == 1
    ]


def _is_norm(module: nn.Module) -> bool:
    is_known = type(module) is nn.BatchNorm2d or _has_activation(module)
    return is_known and bool(getattr(module, "track_running_stats", False))


def _has_activation(module: nn.Module) -> bool:
    """Return whether it is a norm of timm's that also drops and activates."""
    return isinstance(module, nn.BatchNorm2d) and hasattr(module, "drop") and hasattr(module, "act")


def _fuse(network: Chain, conv: str, norm: str) -> None:
    parts: tuple[Any, Any] = network.get_submodule(conv), network.get_submodule(norm)
    network.set_submodule(conv, fuse_conv_bn_eval(*parts))
    is_both = _has_activation(parts[1])
    rest = nn.Sequential(parts[1].drop, parts[1].act) if is_both else nn.Identity()
    network.set_submodule(norm, rest)


def _agree(one: nn.Module, other: nn.Module, inputs: Any) -> bool:
    with torch.inference_mode():
        expected, found = one(inputs), other(inputs)
    scale = float(expected.abs().max())
    return bool((expected - found).abs().max() <= _TOLERANCE * scale)
