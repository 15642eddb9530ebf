"""Where training batches come from: cells, cached activations, or features in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sktransfer.backbones import POOLED, CachedActivation
from sktransfer.compute import Batch, Runner, equal_batches, first_rows
from sktransfer.modalities import Augmentation, map_inputs
from sktransfer.training._cached_activations import WINDOW_BYTES, Activations
from sktransfer.training._row_store import size_of


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


#: From positions of rows, in batches, to training batches in the same order; rows whose cells fail
#: are left out of them.
Source = Callable[[Sequence[Sequence[int]]], Iterator[TrainingBatch]]


@dataclass(frozen=True)
class CellSource:
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

    runner: Runner
    augment: Augmentation | None = None
    views: int = 1
    targets_of: Callable[[Sequence[int]], Any] = lambda rows: None

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Prepare cells in threads, ahead of the network."""
        for rows, items in self.runner.prepare(map(Batch, batches)):
            assert items is not None
            inputs, targets = [], None
            for _ in range(self.views):
                view = items
                if self.augment is not None:
                    view, targets = self.augment(items, self.targets_of(rows))
                inputs.append(self.runner.preparer.collate(view, self.runner.device))
            first, *others = inputs
            yield TrainingBatch(list(rows), first, targets=targets, other_views=tuple(others))


class StoredSource:
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


@dataclass(frozen=True)
class RecomputedSource:
    """Activations of the frozen part, computed when needed and not kept.

    Parameters
    ----------
    activations : Activations
        Computes them.
    """

    activations: Activations

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Compute a bounded number of batches together, then yield them."""
        largest = max([1, *(size_of(self.activations.shapes(batch)) for batch in batches)])
        for some in equal_batches(batches, max(1, WINDOW_BYTES // largest)):
            rows = [int(row) for batch in some for row in batch]
            yield from StoredSource(self.activations, rows)(some)


@dataclass(frozen=True)
class FeatureSource:
    """Features in memory, on which only the head is trained.

    Parameters
    ----------
    features : Tensor of shape (n, d)
        One row per cell of the column.
    """

    features: torch.Tensor

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Stack the features of each batch."""
        for batch in batches:
            features = CachedActivation(POOLED, self.features[list(batch)])
            yield TrainingBatch(list(batch), None, features)
