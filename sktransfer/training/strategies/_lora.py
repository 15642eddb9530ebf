"""Low-rank adapters: small matrices trained beside large ones that stay frozen."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from torch import nn

from sktransfer.backbones import StagedNetwork
from sktransfer.exceptions import BackboneError
from sktransfer.training.strategies._strategy import Strategy

# Rank 8, and a factor of 16 / 8 on what the adapters add: the values of the paper.
_RANK = 8
_ALPHA = 16


class LoRA(Strategy):
    """Trains low-rank adapters beside the linear layers of all stages, or beside convolutions.

    An adapter starts as zero: one of its two matrices is zero, the other is drawn from torch's
    global generator.

    References
    ----------
    Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021,
    https://arxiv.org/abs/2106.09685
    """

    name: ClassVar[str] = "lora"
    copies_stages: ClassVar[bool] = False

    def adapt(self, network: StagedNetwork) -> None:
        """Add adapters to a network; its weights stay as they are.

        Raises
        ------
        ImportError
            If peft is not installed.
        BackboneError
            If there is no layer to add them to.
        """
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise ImportError(
                "trainable='lora' needs the package peft: pip install 'sktransfer[lora]'"
            ) from error
        names = _targets(network)
        if not names:
            raise BackboneError(
                "trainable='lora' adds adapters to nn.Linear, or else to nn.Conv2d of one group, "
                "and the stages of this backbone have neither. Their layers with weights: "
                f"{_weighted(network)}. Open stages instead: trainable=1."
            )
        config = LoraConfig(r=_RANK, lora_alpha=_ALPHA, target_modules=names)
        inject_adapter_in_model(config, network)

    def trains(self, name: str) -> bool:
        """Return whether the parameter belongs to an adapter."""
        return ".lora_" in name


def _weighted(network: StagedNetwork) -> str:
    """Return the names of the types of layers with weights of their own."""
    layers = [m for stage in network.stages.values() for m in stage.modules()]
    return ", ".join(sorted({type(m).__name__ for m in layers if m._parameters})) or "none"


def merged(network: StagedNetwork) -> StagedNetwork:
    """Return a copy of a network, on the CPU, whose adapters are added to the weights beside them.

    Its weights have the names that they had before `LoRA.adapt`, and it can be adapted again.
    """
    network = copy.deepcopy(network).to("cpu")
    for name, module in list[tuple[str, Any]](network.named_modules()):
        if "base_layer" in module._modules:
            module.merge()
            network.set_submodule(name, module.base_layer)
    vars(network).pop("peft_config", None)
    return network


def _targets(network: StagedNetwork) -> list[str]:
    inside = {id(m) for stage in network.stages.values() for m in stage.modules()}
    # torch reads the weights of an attention's own layers without calling them.
    within = {
        id(child)
        for module in network.modules()
        if isinstance(module, nn.MultiheadAttention)
        for child in module.modules()
    }
    found = [(n, m) for n, m in network.named_modules() if id(m) in inside - within]
    linear = [name for name, module in found if isinstance(module, nn.Linear)]
    return linear or [n for n, m in found if isinstance(m, nn.Conv2d) and m.groups == 1]
