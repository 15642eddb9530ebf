"""Batches of the rows of a table: for each tower, the inputs of the rows that it has a cell of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from sktransfer._randomness import Randomness
from sktransfer.training._column_data import ColumnData, Split
from sktransfer.training._column_sources import ColumnSources
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._fused_towers import FusedTowers, TowerInputs
from sktransfer.training._sources import Source, TrainingBatch
from sktransfer.training.objectives import Objective
from sktransfer.training.strategies import Stages


@dataclass(frozen=True)
class FixedData:
    """Features of rows that do not change while towers are trained.

    Parameters
    ----------
    features : Tensor of shape (n, d), float32
        NaN where a value is missing.
    """

    features: torch.Tensor

    @property
    def digests(self) -> list[bytes]:
        """Digest of each row."""
        return [row.tobytes() for row in self.features.numpy(force=True)]

    def usable_rows(self) -> list[int]:
        """Return all rows."""
        return list(range(len(self.features)))

    def warn(self, outcome: str) -> None:
        """Warn of nothing."""


@dataclass(frozen=True)
class FixedSources:
    """The source of fixed features."""

    data: FixedData

    def change(self, stages: Stages) -> None:
        """Change nothing."""

    def of(self, split: Split, stages: Stages, objective: Objective) -> Source:
        """Return the source of batches."""
        return lambda batches: self._batches(split.data, batches)

    def first(self, rows: np.ndarray, stages: Stages, objective: Objective) -> Source:
        """Return the source of training rows before a phase."""
        return lambda batches: self._batches(self.data, batches)

    @staticmethod
    def _batches(data: Any, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        for rows in batches:
            yield TrainingBatch(list(rows), data.features[list(rows)])


@dataclass(frozen=True)
class TableData:
    """What the towers of a table compute on.

    Parameters
    ----------
    towers : dict of str to ColumnData or FixedData
        By name of the tower.
    rows : int
        Number of rows of the table.
    device : torch.device
        Of the head and of all towers.
    """

    towers: Mapping[str, ColumnData | FixedData]
    rows: int
    device: torch.device
    precision: ClassVar[str] = "float32"  # of the head; each tower has its own

    @property
    def name(self) -> str:
        """Names of the networks."""
        return " or ".join(t.name for t in self.towers.values() if isinstance(t, ColumnData))

    @cached_property
    def present(self) -> dict[str, np.ndarray]:
        """Rows that each tower has a cell of."""
        return {name: np.array(tower.usable_rows()) for name, tower in self.towers.items()}

    @property
    def digests(self) -> list[bytes]:
        """Digest of each row."""
        columns = (tower.digests for tower in self.towers.values())
        return [b"|".join(d or b"" for d in row) for row in zip(*columns, strict=True)]

    def usable_rows(self) -> list[int]:
        """Return all rows: a tower without a cell has a blank. Finds cells that fail."""
        assert len(self.present) == len(self.towers)
        return list(range(self.rows))

    def warn(self, outcome: str) -> None:
        """Warn of cells that cannot be used: instead of being left out, they are blanks."""
        for tower in self.towers.values():
            tower.warn(outcome.replace("left out of", "blanks in"))


@dataclass(frozen=True)
class TableSource:
    """Batches of all towers side by side.

    Parameters
    ----------
    sources : dict of str to Source
        One per tower.
    data : TableData
        Says which rows each tower has a cell of.
    """

    sources: Mapping[str, Source]
    data: TableData

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Return the same rows of each tower together."""
        streams = [self._aligned(name, batches) for name in self.sources]
        for rows, *found in zip(batches, *streams, strict=True):
            parts = {
                name: (self._positions(rows, batch), batch)
                for name, batch in zip(self.sources, found, strict=True)
                if batch is not None
            }
            yield TrainingBatch(list(rows), TowerInputs(len(rows), parts))

    def _aligned(
        self, name: str, batches: Sequence[Sequence[int]]
    ) -> Iterator[TrainingBatch | None]:
        """Yield what a tower's source has for each batch; None if it has no cell of its rows."""
        usable = set(self.data.present[name].tolist())
        present = [[row for row in batch if row in usable] for batch in batches]
        stream = self.sources[name]([rows for rows in present if rows])
        following = next(stream, None)
        for rows in present:
            # A source leaves out rows whose cells fail only when they are computed.
            if following is None or not set(following.rows) <= set(rows):
                yield None
            else:
                yield following
                following = next(stream, None)

    def _positions(self, rows: Sequence[int], batch: TrainingBatch) -> torch.Tensor:
        position = {row: place for place, row in enumerate(rows)}
        return torch.tensor([position[row] for row in batch.rows], device=self.data.device)


@dataclass
class TableSources:
    """The sources of all towers of a table.

    Parameters
    ----------
    module : FusedTowers
        The towers.
    train : Split
        Rows to train on; its data is a `TableData`.
    randomness : Randomness
        Augmentation draws from it.
    changed : tuple of str
        Stages that differ from the backbones'.
    """

    module: FusedTowers
    train: Split
    randomness: Randomness
    changed: Stages
    _towers: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._towers = {
            name: _sources_of_tower(
                tower,
                self._part(self.train, name),
                self.randomness,
                self.module.stages_of(name, self.changed),
            )
            for name, tower in self.module.towers.items()
        }

    def change(self, stages: Stages) -> None:
        """Record that these stages have been trained."""
        for name, tower in self._towers.items():
            tower.change(self.module.stages_of(name, stages))

    def of(self, split: Split, stages: Stages, objective: Objective) -> Source:
        """Return the source of batches while these stages are trained; all below is frozen."""
        sources = {}
        for name, tower in self._towers.items():
            part = self._part(split, name)
            if split is self.train and isinstance(tower, ColumnSources):
                part = tower.train  # by which it knows that these are the rows to train on
            sources[name] = tower.of(part, self.module.stages_of(name, stages), objective)
        return TableSource(sources, _table_of(split))

    def first(self, rows: np.ndarray, stages: Stages, objective: Objective) -> Source:
        """Return the source of training rows, not augmented, before a phase."""
        data = _table_of(self.train)
        sources = {
            name: tower.first(
                _present(data, name, rows), self.module.stages_of(name, stages), objective
            )
            for name, tower in self._towers.items()
        }
        return TableSource(sources, data)

    def _part(self, split: Split, name: str) -> Split:
        """Return the rows of a split that a tower has a cell of."""
        table: Any = _table_of(split)
        rows = _present(table, name, split.rows)
        return replace(split, data=table.towers[name], rows=rows)


def _table_of(split: Split) -> TableData:
    data: Any = split.data
    return data


def _present(data: TableData, name: str, rows: np.ndarray) -> np.ndarray:
    return rows[np.isin(rows, data.present[name])]


def _sources_of_tower(module: Any, train: Split, randomness: Randomness, changed: Stages) -> Any:
    if isinstance(module, FineTuned):
        return ColumnSources(module, train, randomness, changed)
    data: Any = train.data
    return FixedSources(data)


def make_sources(module: Any, train: Split, randomness: Randomness, changed: Stages) -> Any:
    """Return the sources of a training: of one column, or of a table."""
    if isinstance(module, FusedTowers):
        return TableSources(module, train, randomness, changed)
    return ColumnSources(module, train, randomness, changed)
