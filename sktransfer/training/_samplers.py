"""Which rows form each training batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from sktransfer.training._column_data import Split
from sktransfer.training._processes import Processes, processes
from sktransfer.training._sources import Source, TrainingBatch


@dataclass
class Sampler:
    """The rows of a training or validation set in batches; each iteration is an epoch.

    Parameters
    ----------
    source : Source
        Turns rows into network inputs.
    split : Split
        The rows, with targets and weights.
    batch_size : int
        Rows per batch; a last batch of one row is joined to the one before.
    random : RandomState or None
        Draws the order, in training; None keeps it.
    processes : Processes
        The processes that share each batch.
    """

    source: Source
    split: Split
    batch_size: int
    random: np.random.RandomState | None = None
    processes: Processes = field(default_factory=processes)

    def __len__(self) -> int:
        return len(in_batches(self.split.rows, self.batch_size))

    def __iter__(self) -> Iterator[tuple[TrainingBatch, Any]]:
        drawn = self._drawn()
        # By any row of a batch: the source leaves out rows whose cells fail, and whole batches.
        sizes = {row: len(batch) for batch in drawn for row in batch}
        for batch in self.source([self._share(batch) for batch in drawn]):
            targets = batch.targets
            if targets is None:
                targets = self.split.targets_of(batch.rows)
            weights = self.split.weights[batch.rows]
            yield replace(batch, batch_size=sizes[batch.rows[0]], weights=weights), targets

    def _drawn(self) -> list[list[int]]:
        rows = self.split.rows
        order = rows if self.random is None else self.random.permutation(rows)
        return in_batches(order, self.batch_size)

    def _share(self, batch: list[int]) -> list[int]:
        """Return the rows of a batch that this process computes."""
        return batch if self.random is None else self.processes.share(batch)


# Enough to tell a few rows apart in some epochs.
_LEAST_BATCHES = 32


class BalancedSampler(Sampler):
    """Batches with equal numbers of rows of each class; rows of rare classes are repeated.

    An epoch has at least 32 batches, so few rows are seen several times in it. Where a batch has
    no room for two rows of each class, it has two rows of some. A batch has about as many rows as
    there are at most: more would be copies of one another, as are the two rows of a class that
    has one.
    """

    def __len__(self) -> int:
        return max(_LEAST_BATCHES, super().__len__())

    def _drawn(self) -> list[list[int]]:
        assert self.random is not None
        rows = self.split.rows
        classes = self.split.targets_of(rows.tolist()).cpu().numpy()
        decks = [_dealt(rows[classes == n], self.random) for n in np.unique(classes)]
        chosen = _dealt(np.arange(len(decks)), self.random)
        size = min(self.batch_size, len(rows))
        at_once = min(len(decks), max(2, size // 2))
        share = max(2, size // at_once)
        # A list of classes, so that all of them are drawn before any row.
        return [
            [row for n in list(islice(chosen, at_once)) for row in islice(decks[n], share)]
            for _ in range(len(self))
        ]

    def _share(self, batch: list[int]) -> list[int]:
        return batch  # its rows are compared with one another


def _dealt(numbers: np.ndarray, random: np.random.RandomState) -> Iterator[int]:
    """Yield numbers in random order, none of them again before all others were."""
    while True:
        yield from random.permutation(numbers).tolist()


def in_batches(rows: np.ndarray, size: int) -> list[list[int]]:
    """Cut rows into batches of `size`, without a last batch of one row, which has no variance."""
    starts = list(range(0, len(rows), size))
    if size > 1 and len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    return [part.tolist() for part in np.split(rows, starts[1:])]
