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
        order = self.rows if self.random is None else self.random.permutation(self.rows)
        for rows in self.stream(in_batches(order, self.batch_size)):
            yield rows, self.targets[rows.positions]


def in_batches(rows: np.ndarray, size: int) -> list[list[int]]:
    """Cut rows into batches of `size`; no last one of a single row, which has no variance."""
    starts = list(range(0, len(rows), size))
    if len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    return [part.tolist() for part in np.split(rows, starts[1:])]
