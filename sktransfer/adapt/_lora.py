"""Low-rank adapters: small matrices that learn beside large ones that do not."""

from __future__ import annotations

from torch import nn

from sktransfer.backbones import StagedNetwork
from sktransfer.exceptions import BackboneError

# Of rank 8, with a factor of 16 / 8 on what they add: the values of the paper.
_RANK = 8
_ALPHA = 16


def add_adapters(network: StagedNetwork) -> None:
    """Put low-rank adapters beside the linear layers of all stages, or beside convolutions.

    They start as nothing: one of each pair of matrices is zero, and the other is drawn from
    torch's global generator.

    Parameters
    ----------
    network : StagedNetwork
        Is changed in place; its weights stay as they are.

    Raises
    ------
    ImportError
        If peft is not installed.
    BackboneError
        If there is no layer to put them beside.

    References
    ----------
    Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021,
    https://arxiv.org/abs/2106.09685
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError(
            "trainable='lora' needs the package peft: pip install 'sktransfer[lora]'"
        ) from error
    names = _places(network)
    if not names:
        raise BackboneError(
            "trainable='lora' needs linear layers or convolutions in the stages of the backbone, "
            "and there are none. Open stages instead: trainable=1."
        )
    config = LoraConfig(r=_RANK, lora_alpha=_ALPHA, target_modules=names)
    inject_adapter_in_model(config, network)


def is_adapter(name: str) -> bool:
    """Tell by a parameter's name whether it belongs to an adapter."""
    return ".lora_" in name


def _places(network: StagedNetwork) -> list[str]:
    inside = {id(m) for stage in network.stages.values() for m in stage.modules()}
    # torch reads the weights of an attention's own layers past their forward.
    within = {
        id(child)
        for module in network.modules()
        if isinstance(module, nn.MultiheadAttention)
        for child in module.modules()
    }
    found = [(n, m) for n, m in network.named_modules() if id(m) in inside - within]
    linear = [name for name, module in found if isinstance(module, nn.Linear)]
    return linear or [n for n, m in found if isinstance(m, nn.Conv2d) and m.groups == 1]
