"""Where training batches come from: cells, or activations of the frozen part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from sktransfer._randomness import Randomness
from sktransfer.backbones import CachedActivation
from sktransfer.compute import Batch, Runner, equal_batches
from sktransfer.modalities import Augmentation, map_inputs
from sktransfer.training._activations import Activations

# Bytes of activations that are computed together where they are not kept.
_WINDOW_BYTES = 64 << 20


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
    views : tuple
        Network inputs of all views of the rows, `inputs` the first of them.
    weights : Tensor of shape (n,), optional
        Row weights, with mean 1 over all training rows.
    batch_size : int
        Rows of the whole batch, of which this process computes a share.
    """

    rows: list[int]
    inputs: Any
    cached: CachedActivation | None = None
    targets: Any = None
    views: tuple[Any, ...] = ()
    weights: Any = None
    batch_size: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> TrainingBatch:
        inputs = map_inputs(lambda tensor: tensor[part], self.inputs)
        cached = self.cached and self.cached._replace(activation=self.cached.activation[part])
        return TrainingBatch(self.rows[part], inputs, cached)


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
    draws : callable, optional
        Returns, at the start of each epoch, the stream of random numbers that `augment` draws
        from.
    """

    runner: Runner
    augment: Augmentation | None = None
    views: int = 1
    targets_of: Callable[[Sequence[int]], Any] = lambda rows: None
    draws: Callable[[], Randomness] | None = None

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Prepare cells in threads, ahead of the network."""
        own = self.draws().own if self.draws else nullcontext
        for rows, items in self.runner.prepare(map(Batch, batches)):
            assert items is not None
            views, targets = [], None
            for _ in range(self.views):
                view = items
                if self.augment is not None:
                    with own():
                        view, targets = self.augment(items, self.targets_of(rows))
                views.append(self.runner.preparer.collate(view, self.runner.device))
            yield TrainingBatch(list(rows), views[0], targets=targets, views=tuple(views))


@dataclass(frozen=True)
class ActivationSource:
    """Activations of the frozen part: kept from epoch to epoch, or computed when needed.

    Parameters
    ----------
    activations : Activations
        Computes them.
    kept : mapping of bytes to Tensor, optional
        The activation of each cell that is kept, by its digest.
    """

    activations: Activations
    kept: Mapping[bytes, torch.Tensor] | None = None

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[TrainingBatch]:
        """Stack the activations of each batch, or first compute those of some batches."""
        batches = self._usable(batches)
        together = max(1, len(batches))
        if self.kept is None:
            largest = max([1, *map(self.activations.size, batches)])
            together = max(1, _WINDOW_BYTES // largest)
        for some in equal_batches(batches, together):
            kept = self.kept
            if kept is None:
                kept = self.activations.compute([row for batch in some for row in batch])
            for rows in filter(None, self._usable(some)):
                yield TrainingBatch(rows, *self.activations.inputs(kept, rows))

    def _usable(self, batches: Sequence[Sequence[int]]) -> list[list[int]]:
        """Leave out rows whose cells have failed: when prepared, or now that they are computed."""
        usable = set(self.activations.usable())
        return [[int(row) for row in batch if row in usable] for batch in batches]
