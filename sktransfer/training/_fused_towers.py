"""Several networks, one per column of a table, whose features are joined under one head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from sktransfer import _runtime
from sktransfer.backbones import Level
from sktransfer.training._fine_tuned import FineTuned, copy_weights
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.heads import NoHead
from sktransfer.training.strategies import Stages


class FixedTower(nn.Module):
    """A tower without a network: its features are computed once and never change.

    Parameters
    ----------
    n_features : int
        d.
    """

    opened: Stages = ()
    is_gradual = False

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.head = NoHead(n_features)

    def features(self, inputs: torch.Tensor, cached: Any = None) -> torch.Tensor:
        """Return the features that are the inputs."""
        return inputs

    def open(self, stages: Stages) -> None:
        """Train nothing."""

    def epochs(self, count: int, done: int) -> list[Stages]:
        """Return no stages for each epoch."""
        return [()] * count

    def trained(self) -> dict[str, torch.Tensor]:
        """Return no weights."""
        return {}


class TowerSettings(NamedTuple):
    """How a network is computed and trained; see `parameter_groups` for its rates."""

    lr: float
    layer_decay: float
    weight_decay: float
    precision: str


class TowerInputs(NamedTuple):
    """The rows of a batch for each tower.

    Attributes
    ----------
    rows : int
        Number of rows of the batch.
    parts : dict of str to (Tensor, TrainingBatch)
        By tower that has cells in the batch: their positions in it, and their inputs.
    """

    rows: int
    parts: Mapping[str, tuple[torch.Tensor, TrainingBatch]]


class FusedTowers(nn.Module):
    """Towers whose features are joined, and a head on all of them.

    It stands in a training where `FineTuned` does. A stage is named by its tower and its name,
    ``"title/layer.5"``.

    Parameters
    ----------
    towers : dict of str to FineTuned or FixedTower
        By name; of networks with `NoHead`.
    head : FusionHead
        On the features of all towers, NaN where a row has no cell.
    settings : dict of str to TowerSettings
        Of each network.
    """

    level: ClassVar[Level] = "row"
    standardized_on: ClassVar[int] = 4096

    def __init__(
        self,
        towers: Mapping[str, FineTuned | FixedTower],
        head: nn.Module,
        settings: Mapping[str, TowerSettings],
    ) -> None:
        super().__init__()
        self.names = tuple(towers)
        self.networks = nn.ModuleList(towers.values())  # names of columns may have dots
        self.head: Any = head
        self.settings = dict(settings)
        self.open(self.opened)

    @staticmethod
    def are_finite(features: torch.Tensor) -> bool:
        """Return whether all features are numbers, where there are any."""
        return not features.isinf().any()

    @property
    def towers(self) -> dict[str, Any]:
        """The towers by name."""
        return dict(zip(self.names, self.networks, strict=True))

    @property
    def opened(self) -> Stages:
        """The stages that training may change."""
        return tuple(f"{name}/{s}" for name, tower in self.towers.items() for s in tower.opened)

    @property
    def is_gradual(self) -> bool:
        """Whether stages of any tower are opened one after another."""
        return any(tower.is_gradual for tower in self.networks)

    def stages_of(self, name: str, stages: Stages) -> Stages:
        """Return those of the stages that belong to a tower, by their own names."""
        return tuple(s for s in self.towers[name].opened if f"{name}/{s}" in stages)

    def open(self, stages: Stages) -> None:
        """Train these stages from now on, and no others."""
        for name, tower in self.towers.items():
            tower.open(self.stages_of(name, stages))

    def epochs(self, count: int, done: int) -> list[Stages]:
        """Return the stages that are trained in each of some epochs."""
        named = (
            [tuple(f"{name}/{s}" for s in stages) for stages in tower.epochs(count, done)]
            for name, tower in self.towers.items()
        )
        return [sum(stages, ()) for stages in zip(*named, strict=True)]

    def forward(self, inputs: TowerInputs, cached: Any = None) -> torch.Tensor:
        """Return the head's outputs."""
        return self.head(self.features(inputs))

    def blended(self, inputs: TowerInputs, cached: Any, blend: Any) -> torch.Tensor:
        """Return the head's outputs of blends of features, in which blanks count as such."""
        return self.head(self.features(inputs), blend)

    def features(self, inputs: TowerInputs, cached: Any = None) -> torch.Tensor:
        """Return the features of all towers beside each other; NaN where a row has no cell."""
        blocks = zip(self.names, self.head.widths, strict=True)
        device = self.head.mean.device
        found = []
        for name, width in blocks:
            block = torch.full((inputs.rows, width), torch.nan, device=device)
            if name in inputs.parts:
                positions, batch = inputs.parts[name]
                block = block.index_copy(0, positions, self._features(name, batch))
            found.append(block)
        return torch.cat(found, 1)

    def _features(self, name: str, batch: TrainingBatch) -> torch.Tensor:
        tower: Any = self.towers[name]
        if name not in self.settings:
            return tower.features(batch.inputs)
        with _runtime.autocast(self.head.mean.device, self.settings[name].precision):
            features = tower.features(batch.inputs, batch.cached).float()
        # Not NaN, which would be replaced by a blank.
        return features.nan_to_num(torch.inf, torch.inf, -torch.inf)

    def trained(self) -> dict[str, torch.Tensor]:
        """Return, by name, every parameter and buffer that training may have changed."""
        found = {
            f"networks.{number}.{name}": tensor
            for number, tower in enumerate(self.towers.values())
            for name, tensor in tower.trained().items()
        }
        head = (*self.head.named_parameters(), *self.head.named_buffers())
        return found | {f"head.{name}": tensor for name, tensor in head}

    def restore(self, trained: Mapping[str, torch.Tensor]) -> None:
        """Copy what `trained` has returned for a module of the same architecture."""
        copy_weights(self.trained(), trained)
