"""A network with a head, of which only some parts are trained."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn

from sktransfer.backbones import (
    POOLED,
    CachedActivation,
    Level,
    StagedNetwork,
    at_level,
    refuse_misfits,
)
from sktransfer.modalities import mask_of
from sktransfer.training._length_groups import by_length
from sktransfer.training.strategies import Stages, Strategy


def cut_below(stages: Sequence[str], opened: Sequence[str], level: Level = "row") -> str | None:
    """Return the layer that the frozen part ends with; None if nothing is frozen.

    Examples
    --------
    >>> cut_below(["stem", "layer1", "layer2"], ["layer2"])
    'layer1'
    """
    if not opened:
        return POOLED if level == "row" else stages[-1]
    below = len(stages) - len(opened)
    return stages[below - 1] if below else None


class FineTuned(nn.Module):
    """A network and its head.

    Parameters
    ----------
    network : StagedNetwork
        Is not changed: opened parts are copied, frozen ones share its memory.
    head : nn.Module
        From features (n, d), (n, tokens, d) or (n, height, width, d) to outputs.
    opened : sequence of str
        The last stages, from below, that training may change. With any of them, what lies
        between the last stage and the head may change too.
    strategy : Strategy
        What is trained of the opened stages.
    level : {"row", "token", "place"}
        What the features belong to.

    Attributes
    ----------
    standardized_on : int
        Largest number of rows that the head takes the mean and deviation of features from.
    """

    standardized_on = 256

    def __init__(
        self,
        network: StagedNetwork,
        head: nn.Module,
        opened: Sequence[str],
        strategy: Strategy,
        level: Level = "row",
    ) -> None:
        super().__init__()
        self.opened = tuple(opened)
        self.strategy = strategy
        self.level = level
        kept = frozen_parts(network, opened if strategy.copies_stages else ())
        self.network = _partly_copied(network, kept)
        strategy.adapt(self.network)
        self.head: Any = head
        self.open(opened)

    def forward(self, inputs: Any, cached: CachedActivation | None = None) -> torch.Tensor:
        """Return the head's outputs.

        Parameters
        ----------
        inputs : Tensor or mapping of str to Tensor
            As the network takes them.
        cached : CachedActivation, optional
            Output of a frozen stage, or of "pooled", for the same rows, where it is known.
        """
        return self.outputs(self.features(inputs, cached), inputs)

    def blended(self, inputs: Any, cached: CachedActivation | None, blend: Any) -> torch.Tensor:
        """Return the head's outputs of blends of features."""
        return self.head(blend(self.features(inputs, cached)))

    def outputs(self, features: torch.Tensor, inputs: Any) -> torch.Tensor:
        """Return the head's outputs for features of these network inputs."""
        return self.head(features, inputs) if self.head_reads_inputs else self.head(features)

    def below_head(self, features: torch.Tensor) -> torch.Tensor:
        """Return what users are given of features: of several maps, their means."""
        means = getattr(self.head, "means", None)
        return features if means is None else means(features)

    @staticmethod
    def are_finite(features: torch.Tensor) -> bool:
        """Return whether all features are numbers."""
        return bool(features.isfinite().all())

    @property
    def is_gradual(self) -> bool:
        """Whether stages are opened one after another."""
        return self.strategy.name == "gradual"

    def epochs(self, count: int, done: int) -> list[Stages]:
        """Return the stages that are trained in each of some epochs; see `Strategy.epochs`."""
        return self.strategy.epochs(self.opened, count, done)

    @property
    def head_reads_inputs(self) -> bool:
        """Whether the head is called with network inputs beside features."""
        return getattr(self.head, "reads_inputs", False)

    def features(self, inputs: Any, cached: CachedActivation | None = None) -> torch.Tensor:
        """Return the features, float32."""
        if self.level != "row":
            return self.features_of(self.level, inputs, cached)
        if cached is not None and cached.stage == POOLED:
            return cached.activation
        mask = mask_of(inputs)
        if mask is not None and mask.device.type == "cpu":
            return by_length(self._pooled, inputs, cached)
        return self._pooled(inputs, cached)

    def _pooled(self, inputs: Any, cached: CachedActivation | None) -> torch.Tensor:
        return self.network(inputs, cached=cached).float()

    def features_of(
        self, level: Level, inputs: Any, cached: CachedActivation | None = None
    ) -> torch.Tensor:
        """Return the features of each token, (n, tokens, d), or place, (n, height, width, d)."""
        last = list(self.network.stages)[-1]
        if cached is not None and cached.stage == last:
            activation = cached.activation
        else:
            activation = self.network(inputs, until=last, cached=cached).float()
        return at_level(activation, level, self.network)

    def open(self, stages: Sequence[str]) -> None:
        """Train these of the opened stages from now on, and no others."""
        self.learning = tuple(stages)
        frozen = _tensors_of(frozen_parts(self.network, stages))
        for name, parameter in self.network.named_parameters():
            trains = id(parameter) not in frozen and self.strategy.trains(name)
            parameter.requires_grad_(trains)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Put trained parts into training mode; statistics of frozen parts stay as they are."""
        super().train(mode)
        learning = self.learning if self.strategy.copies_stages else ()
        for part in frozen_parts(self.network, learning):
            part.eval()
        return self

    def trained(self) -> dict[str, torch.Tensor]:
        """Return, by name, every parameter and buffer that training may have changed."""
        frozen = _tensors_of(frozen_parts(self.network, self.opened))
        return {
            name: tensor
            for name, tensor in (*self.named_parameters(), *self.named_buffers())
            if name.startswith("head.") or (id(tensor) not in frozen and self.strategy.trains(name))
        }

    def restore(self, trained: Mapping[str, torch.Tensor]) -> None:
        """Copy what `trained` has returned for a module of the same architecture.

        Raises
        ------
        WeightsError
            If names, shapes or types differ; nothing is copied then.
        """
        copy_weights(self.trained(), trained)


def copy_weights(own: Mapping[str, torch.Tensor], trained: Mapping[str, torch.Tensor]) -> None:
    """Copy tensors to those of the same names; raise `WeightsError` if they do not fit."""
    refuse_misfits(own, trained, source="what was trained")
    for name, tensor in trained.items():
        own[name].data.copy_(tensor)


def frozen_parts(network: StagedNetwork, opened: Sequence[str]) -> list[nn.Module]:
    """Return the parts of a network that are not trained: all of it, if no stage is opened."""
    if not opened:
        return [network]
    frozen = [stage for name, stage in network.stages.items() if name not in opened]
    return [*frozen, *network.unused]


def _tensors_of(parts: list[nn.Module]) -> set[int]:
    return {id(t) for part in parts for t in (*part.parameters(), *part.buffers())}


def _partly_copied(network: StagedNetwork, frozen: list[nn.Module]) -> StagedNetwork:
    memo: dict[int, Any] = {}
    for part in frozen:
        for parameter in part.parameters():
            # Another parameter on the same memory: moving the copy to a device, or training it,
            # must not touch the network that all estimators share.
            memo[id(parameter)] = nn.Parameter(parameter.data, requires_grad=False)
        for buffer in part.buffers():
            memo[id(buffer)] = buffer.detach()
    return copy.deepcopy(network, memo)
