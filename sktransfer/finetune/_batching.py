"""Which rows go through the network together in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from sktransfer.finetune._stream import Rows, Stream


@dataclass
class Batches:
    """The rows of a training set or a validation set, in batches, again in each epoch.

    Parameters
    ----------
    stream : Stream
        Brings rows to the network.
    rows : ndarray of int
        Positions in the column.
    targets, weights : Tensor
        One entry a row of the column.
    batch_size : int
        Rows of a batch; a last one of a single row is joined to the one before.
    random : RandomState or None
        Draws the order; None keeps it.
    """

    stream: Stream
    rows: np.ndarray
    targets: torch.Tensor
    weights: torch.Tensor
    batch_size: int
    random: np.random.RandomState | None = None

    def __len__(self) -> int:
        return len(in_batches(self.rows, self.batch_size))

    def __iter__(self) -> Iterator[tuple[Rows, torch.Tensor]]:
        for rows in self.stream(self._drawn()):
            yield rows, self.targets[rows.positions]

    def _drawn(self) -> list[list[int]]:
        order = self.rows if self.random is None else self.random.permutation(self.rows)
        return in_batches(order, self.batch_size)


class BalancedBatches(Batches):
    """Batches with as many rows of each class; those of a rare class come again and again."""

    def _drawn(self) -> list[list[int]]:
        assert self.random is not None
        classes = self.targets[torch.from_numpy(self.rows)].cpu().numpy()
        rows_of = [self.rows[classes == number] for number in np.unique(classes)]
        share = max(2, self.batch_size // len(rows_of))
        wanted = len(self) * share
        drawn = [self._enough(rows, wanted).reshape(len(self), share) for rows in rows_of]
        return np.concatenate(drawn, axis=1).tolist()

    def _enough(self, rows: np.ndarray, wanted: int) -> np.ndarray:
        """Draw rows, none of them again before all of them have been drawn."""
        assert self.random is not None
        rounds = -(-wanted // len(rows))
        return np.concatenate([self.random.permutation(rows) for _ in range(rounds)])[:wanted]


def in_batches(rows: np.ndarray, size: int) -> list[list[int]]:
    """Cut rows into batches of `size`; no last one of a single row, which has no variance."""
    starts = list(range(0, len(rows), size))
    if size > 1 and len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    return [part.tolist() for part in np.split(rows, starts[1:])]
