"""Where training batches come from: cells, cached activations, or features in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sktransfer.backbones import POOLED, CachedActivation
from sktransfer.compute import Batch, Runner, first_rows
from sktransfer.modalities import Augmentation, map_inputs
from sktransfer.training._activations import Activations


@dataclass(frozen=True)
class TrainingBatch:
    """Some rows as a `FineTuned` module takes them.

    Attributes
    ----------
    rows : list of int
        Positions in their column.
    inputs, cached
        See `FineTuned.forward`.
    targets : Tensor or None
        Encoded targets of the rows, where augmentation may have changed them.
    other_views : tuple
        Network inputs of further views of the same rows.
    weights : Tensor of shape (n,), optional
        Row weights, with mean 1 over all training rows.
    batch_size : int
        Rows of the whole batch, of which this process computes a share.
    """

    rows: list[int]
    inputs: Any
    cached: CachedActivation | None = None
    targets: Any = None
    other_views: tuple[Any, ...] = ()
    weights: Any = None
    batch_size: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> TrainingBatch:
        inputs = map_inputs(lambda tensor: tensor[part], self.inputs)
        cached = self.cached and self.cached._replace(activation=self.cached.activation[part])
        return TrainingBatch(self.rows[part], inputs, cached)

    @property
    def views(self) -> tuple[Any, ...]:
        """Network inputs of all views; without augmentation, the same ones again."""
        return (self.inputs, *self.other_views)


class Source(ABC):
    """Turns positions of rows into training batches."""

    @abstractmethod
    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Yield the batches in order; rows whose cells fail are left out of them."""


class CellSource(Source):
    """Cells through the whole network: nothing is frozen, or augmentation changes each view.

    Parameters
    ----------
    runner : Runner
        Prepares the cells.
    augment : callable, optional
        Changes prepared cells, and their targets.
    views : int
        Number of views of each row.
    targets_of : callable
        Returns the targets of some rows, for `augment` to change.
    """

    def __init__(
        self,
        runner: Runner,
        augment: Augmentation | None = None,
        views: int = 1,
        targets_of: Callable[[Sequence[int]], Any] = lambda rows: None,
    ) -> None:
        self._runner = runner
        self._augment = augment
        self._views = views
        self._targets_of = targets_of

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Prepare cells in threads, ahead of the network."""
        for rows, items in self._runner.prepare(map(Batch, batches)):
            assert items is not None
            inputs, targets = [], None
            for _ in range(self._views):
                view = items
                if self._augment is not None:
                    view, targets = self._augment(items, self._targets_of(rows))
                inputs.append(self._runner.preparer.collate(view, self._runner.device))
            first, *others = inputs
            yield TrainingBatch(list(rows), first, targets=targets, other_views=tuple(others))


class StoredSource(Source):
    """Activations of the frozen part, computed once and kept.

    Parameters
    ----------
    activations : Activations
        Computes them.
    rows : sequence of int
        All rows that will be asked for.
    on_disk : bool
        Whether they are kept in a temporary file.
    """

    def __init__(
        self, activations: Activations, rows: Sequence[int], on_disk: bool = False
    ) -> None:
        self._activations = activations
        digests = activations.runner.cells.digests
        first = first_rows(digests, rows)
        self._store = activations.compute(list(first.values()), on_disk)
        number: dict[bytes | None, int] = {digest: at for at, digest in enumerate(first)}
        usable = set(activations.usable())
        self._number = {row: number[digests[row]] for row in rows if row in usable}

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Stack the activations of each batch."""
        for batch in batches:
            rows = [int(row) for row in batch if row in self._number]
            if rows:
                numbers = [self._number[row] for row in rows]
                yield TrainingBatch(rows, *self._activations.inputs(self._store, numbers, rows))


class RecomputedSource(Source):
    """Activations of the frozen part, computed when needed and not kept.

    Parameters
    ----------
    activations : Activations
        Computes them.
    """

    def __init__(self, activations: Activations) -> None:
        self._activations = activations

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Compute a bounded number of batches together, then yield them."""
        for some in self._together(batches):
            rows = np.concatenate([np.asarray(batch) for batch in some]).tolist()
            yield from StoredSource(self._activations, rows)(some)

    def _together(self, batches: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
        rows = [int(row) for batch in batches for row in batch]
        ends = [window[-1] + 1 for window in self._activations.windows(rows)] if rows else []
        some: list[Sequence[int]] = []
        taken = 0
        for batch in batches:
            some.append(batch)
            taken += len(batch)
            if ends and taken >= ends[0]:
                yield some
                some = []
                ends = [end for end in ends if end > taken]
        if some:
            yield some


class FeatureSource(Source):
    """Features in memory, on which only the head is trained.

    Parameters
    ----------
    features : Tensor of shape (n, d)
        One row per cell of the column.
    """

    def __init__(self, features: torch.Tensor) -> None:
        self._features = features

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Stack the features of each batch."""
        for batch in batches:
            features = CachedActivation(POOLED, self._features[list(batch)])
            yield TrainingBatch(list(batch), None, features)
