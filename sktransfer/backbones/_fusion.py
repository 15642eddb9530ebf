"""Batch norms of a frozen network, folded into the convolutions before them."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sktransfer.backbones._network import Chain, StagedNetwork

# Other subclasses may do something to their weights first. Conv2dSame is timm's, and pads.
_CONVOLUTIONS = frozenset({"Conv2d", "Conv2dSame"})

# In float32 a fused network differs from the plain one by about a hundredth of this.
_TOLERANCE = 1e-4


def fused(network: StagedNetwork, images: torch.Tensor) -> StagedNetwork:
    """Return a network that gives the same with fewer steps, for inference only.

    A frozen batch norm scales and shifts each channel by constants, and a convolution can do
    that itself. Stages without such a pair, and those that torch cannot trace, are taken as
    they are, not copied.

    Parameters
    ----------
    network : StagedNetwork
        In eval mode; it is not changed.
    images : Tensor of shape (n, 3, H, W)
        What both are tried on. Where they do not agree, `network` itself is returned.

    Returns
    -------
    StagedNetwork
    """
    if not isinstance(network, Chain):
        return network
    stages = {name: _fused_stage(stage) for name, stage in network.stages.items()}
    if all(stages[name] is stage for name, stage in network.stages.items()):
        return network
    other = Chain(
        stages, network.pooled, layout=network.layout, prefix_tokens=network.prefix_tokens
    ).eval()
    return other if _agree(network, other, images) else network


def _fused_stage(stage: nn.Module) -> nn.Module:
    if not any(isinstance(module, nn.BatchNorm2d) for module in stage.modules()):
        return stage
    try:
        traced = fx.GraphModule(stage, _Tracer().trace(stage))
    except Exception:  # code that a trace cannot follow, such as a branch on a value
        return stage
    pairs = _pairs(traced)
    for conv, norm in pairs:
        _fuse(traced, conv, norm)
    traced.recompile()
    return traced if pairs else stage


class _Tracer(fx.Tracer):
    """Sees convolutions and norms as a whole, also those of other libraries."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        is_part = isinstance(m, nn.Conv2d | nn.BatchNorm2d)
        return is_part or super().is_leaf_module(m, module_qualified_name)


def _pairs(traced: fx.GraphModule) -> list[tuple[fx.Node, fx.Node]]:
    """Return each convolution that only a batch norm takes from, with that norm."""
    return [
        (node.args[0], node)
        for node in traced.graph.nodes
        if _is_norm(_module(traced, node))
        and node.args
        and isinstance(node.args[0], fx.Node)
        and type(_module(traced, node.args[0])).__name__ in _CONVOLUTIONS
        and len(node.args[0].users) == 1
        and _is_used_once(traced, node.args[0])
        and _is_used_once(traced, node)
    ]


def _module(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None


def _is_norm(module: nn.Module | None) -> bool:
    is_known = type(module) is nn.BatchNorm2d or _has_activation(module)
    return is_known and bool(getattr(module, "track_running_stats", False))


def _has_activation(module: nn.Module | None) -> bool:
    """Whether it is a norm of timm's, which drops and activates too."""
    return isinstance(module, nn.BatchNorm2d) and hasattr(module, "drop") and hasattr(module, "act")


def _is_used_once(traced: fx.GraphModule, node: fx.Node) -> bool:
    return sum(other.target == node.target for other in traced.graph.nodes) == 1


def _fuse(traced: fx.GraphModule, conv: fx.Node, norm: fx.Node) -> None:
    parts: tuple[Any, Any] = (_module(traced, conv), _module(traced, norm))
    traced.set_submodule(str(conv.target), fuse_conv_bn_eval(*parts))
    if _has_activation(parts[1]):
        traced.set_submodule(str(norm.target), nn.Sequential(parts[1].drop, parts[1].act))
    else:
        norm.replace_all_uses_with(conv)
        traced.graph.erase_node(norm)
        traced.delete_submodule(str(norm.target))


def _agree(one: StagedNetwork, other: StagedNetwork, images: torch.Tensor) -> bool:
    with torch.inference_mode():
        expected, found = one(images), other(images)
    scale = float(expected.abs().max())
    return bool((expected - found).abs().max() <= _TOLERANCE * scale)
