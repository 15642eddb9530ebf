"""A network with a head, of which only some stages learn; what is frozen stays frozen."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import nn

from sktransfer.adapt._head import Head
from sktransfer.backbones import POOLED, Given, StagedNetwork


def opened_stages(stages: Sequence[str], trainable: str | int) -> tuple[str, ...]:
    """Return the names of the stages that `trainable` opens, from below.

    Parameters
    ----------
    stages : sequence of str
        All of them, in order.
    trainable : {"head", "all", "gradual"} or int
        An integer k opens the last k; "gradual" opens all of them in the end.

    Examples
    --------
    >>> opened_stages(["stem", "layer1", "layer2"], 2)
    ('layer1', 'layer2')
    """
    if trainable == "head":
        return ()
    if isinstance(trainable, str):
        return tuple(stages)
    return tuple(stages[max(0, len(stages) - trainable) :])


def cut_below(stages: Sequence[str], opened: Sequence[str]) -> str | None:
    """Return what the frozen part ends with: a stage, "pooled", or None if nothing is frozen.

    Examples
    --------
    >>> cut_below(["stem", "layer1", "layer2"], ["layer2"])
    'layer1'
    """
    if not opened:
        return POOLED
    below = len(stages) - len(opened)
    return stages[below - 1] if below else None


class FineTuned(nn.Module):
    """A network and its head.

    Parameters
    ----------
    network : StagedNetwork
        Is not changed: opened parts are copied, and of frozen ones the memory is shared.
    head : Head
        From features (n, d) to outputs (n, k).
    opened : sequence of str
        The last stages, from below, that may learn. With any of them, what lies between the
        last stage and the head may too.
    """

    def __init__(self, network: StagedNetwork, head: Head, opened: Sequence[str]) -> None:
        super().__init__()
        self.opened = tuple(opened)
        self.network = _partly_copied(network, frozen_parts(network, opened))
        self.head = head
        self.open(opened)

    def forward(self, inputs: Any, given: Given | None = None) -> torch.Tensor:
        """Return the head's outputs (n, k).

        Parameters
        ----------
        inputs : Tensor or mapping of str to Tensor
            As the network takes them.
        given : Given, optional
            What a frozen stage, or "pooled", gives for them, if that is known.
        """
        return self.head(self.features(inputs, given))

    def features(self, inputs: Any, given: Given | None = None) -> torch.Tensor:
        """Return the features (n, d), float32."""
        if given is not None and given.stage == POOLED:
            return given.activation
        return self.network(inputs, given=given).float()

    def open(self, stages: Sequence[str]) -> None:
        """Let these of the opened stages learn from now on, and no others."""
        self.learning = tuple(stages)
        for module in (self.network, self.head):
            module.requires_grad_(True)
        for part in frozen_parts(self.network, stages):
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Put into training mode what learns; statistics of what is frozen stay as they are."""
        super().train(mode)
        for part in frozen_parts(self.network, self.learning):
            part.eval()
        return self

    def trained(self) -> dict[str, torch.Tensor]:
        """Return, by name, every parameter and buffer that training may have changed."""
        frozen = {
            id(tensor)
            for part in frozen_parts(self.network, self.opened)
            for tensor in (*part.parameters(), *part.buffers())
        }
        named = (*self.named_parameters(), *self.named_buffers())
        return {name: tensor for name, tensor in named if id(tensor) not in frozen}


def frozen_parts(network: StagedNetwork, opened: Sequence[str]) -> list[nn.Module]:
    """Return the parts of a network that do not learn: whole of it, if no stage is opened."""
    if not opened:
        return [network]
    return [stage for name, stage in network.stages.items() if name not in opened]


def _partly_copied(network: StagedNetwork, frozen: list[nn.Module]) -> StagedNetwork:
    memo: dict[int, Any] = {}
    for part in frozen:
        for parameter in part.parameters():
            # Another parameter in the same memory: moving the copy to a device, or letting it
            # learn, must not touch the network that all estimators share.
            memo[id(parameter)] = nn.Parameter(parameter.data, requires_grad=False)
        for buffer in part.buffers():
            memo[id(buffer)] = buffer.detach()
    return copy.deepcopy(network, memo)
