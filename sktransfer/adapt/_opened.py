"""A network with a head, of which only some stages learn; what is frozen stays frozen."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn

from sktransfer.adapt._head import Head
from sktransfer.adapt._lengths import in_parts
from sktransfer.adapt._lora import add_adapters, is_adapter
from sktransfer.backbones import POOLED, Given, StagedNetwork, refuse_misfits


def opened_stages(stages: Sequence[str], trainable: str | int) -> tuple[str, ...]:
    """Return the names of the stages that `trainable` opens, from below.

    Parameters
    ----------
    stages : sequence of str
        All of them, in order.
    trainable : {"head", "all", "gradual", "lora"} or int
        An integer k opens the last k; "gradual" opens all of them in the end, and "lora" has
        something that learns in all of them.

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
    adapters : bool
        Whether small matrices beside the weights of the opened stages learn in their place.
    """

    def __init__(
        self,
        network: StagedNetwork,
        head: Head,
        opened: Sequence[str],
        adapters: bool = False,
    ) -> None:
        super().__init__()
        self.opened = tuple(opened)
        self.adapters = adapters
        kept = frozen_parts(network, () if adapters else opened)
        self.network = _partly_copied(network, kept)
        if adapters:
            add_adapters(self.network)
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
        if isinstance(inputs, Mapping) and inputs["attention_mask"].device.type == "cpu":
            return in_parts(self._through_network, inputs, given)
        return self._through_network(inputs, given)

    def _through_network(self, inputs: Any, given: Given | None) -> torch.Tensor:
        return self.network(inputs, given=given).float()

    def open(self, stages: Sequence[str]) -> None:
        """Let these of the opened stages learn from now on, and no others."""
        self.learning = tuple(stages)
        frozen = _tensors_of(frozen_parts(self.network, stages))
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(id(parameter) not in frozen and self._may_learn(name))
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Put into training mode what learns; statistics of what is frozen stay as they are."""
        super().train(mode)
        for part in frozen_parts(self.network, () if self.adapters else self.learning):
            part.eval()
        return self

    def trained(self) -> dict[str, torch.Tensor]:
        """Return, by name, every parameter and buffer that training may have changed."""
        frozen = _tensors_of(frozen_parts(self.network, self.opened))
        of_network = (*self.network.named_parameters(), *self.network.named_buffers())
        of_head = (*self.head.named_parameters(), *self.head.named_buffers())
        changed = {
            f"network.{name}": tensor
            for name, tensor in of_network
            if id(tensor) not in frozen and self._may_learn(name)
        }
        return changed | {f"head.{name}": tensor for name, tensor in of_head}

    def restore(self, trained: Mapping[str, torch.Tensor]) -> None:
        """Take over what `trained` of a module of the same make has returned.

        Raises
        ------
        WeightsError
            If it is another's: nothing is taken over then.
        """
        own = self.trained()
        refuse_misfits(own, trained, source="what was trained")
        for name, tensor in trained.items():
            own[name].data.copy_(tensor)

    def _may_learn(self, name: str) -> bool:
        return not self.adapters or is_adapter(name)


def frozen_parts(network: StagedNetwork, opened: Sequence[str]) -> list[nn.Module]:
    """Return the parts of a network that do not learn: whole of it, if no stage is opened."""
    if not opened:
        return [network]
    return [stage for name, stage in network.stages.items() if name not in opened]


def _tensors_of(parts: list[nn.Module]) -> set[int]:
    return {id(t) for part in parts for t in (*part.parameters(), *part.buffers())}


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
