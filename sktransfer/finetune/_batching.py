"""Which rows go through the network together in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from sktransfer.finetune._stream import Rows, Stream
from sktransfer.finetune._team import Alone, team


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
        Draws the order, in training; None keeps it.
    team : Alone
        Shares out the batches of a training.
    """

    stream: Stream
    rows: np.ndarray
    targets: torch.Tensor
    weights: torch.Tensor
    batch_size: int
    random: np.random.RandomState | None = None
    team: Alone = field(default_factory=team)

    @classmethod
    def per_epoch(cls, rows: np.ndarray, batch_size: int) -> int:
        """Return the number of batches that so many rows are cut into."""
        return len(in_batches(rows, batch_size))

    def __len__(self) -> int:
        return self.per_epoch(self.rows, self.batch_size)

    def __iter__(self) -> Iterator[tuple[Rows, torch.Tensor]]:
        drawn = self._drawn()
        shares = [self._share(batch) for batch in drawn]
        # By any row: the stream leaves out rows whose cells fail, and whole batches of them.
        elsewhere = {
            row: len(batch) - len(share)
            for batch, share in zip(drawn, shares, strict=True)
            for row in share
        }
        for rows in self.stream(shares):
            size = len(rows) + elsewhere[rows.positions[0]]
            yield replace(rows, batch_size=size), self.targets[rows.positions]

    def _drawn(self) -> list[list[int]]:
        order = self.rows if self.random is None else self.random.permutation(self.rows)
        return in_batches(order, self.batch_size)

    def _share(self, batch: list[int]) -> list[int]:
        """Return the rows of a batch that this process computes."""
        return batch if self.random is None else self.team.share(batch)


# Enough for a few rows to be told apart in some epochs, however few they are.
_LEAST_BATCHES = 32


class BalancedBatches(Batches):
    """Batches with as many rows of each class; those of a rare class come again and again.

    An epoch has 32 batches at least, so of few rows it sees each several times. Where a batch has
    no room for two rows of each class, it has two rows of some. It has hardly more rows than there
    are: they would only be copies of one another, as the two rows of a class that has one are.
    """

    @classmethod
    def per_epoch(cls, rows: np.ndarray, batch_size: int) -> int:
        """Return the number of batches, 32 at least."""
        return max(_LEAST_BATCHES, super().per_epoch(rows, batch_size))

    def _drawn(self) -> list[list[int]]:
        assert self.random is not None
        classes = self.targets[torch.from_numpy(self.rows)].cpu().numpy()
        decks = [Deck(self.rows[classes == n], self.random) for n in np.unique(classes)]
        chosen = Deck(np.arange(len(decks)), self.random)
        size = min(self.batch_size, len(self.rows))
        at_once = min(len(decks), max(2, size // 2))
        share = max(2, size // at_once)
        return [
            [row for number in chosen.deal(at_once) for row in decks[number].deal(share)]
            for _ in range(len(self))
        ]

    def _share(self, batch: list[int]) -> list[int]:
        return batch  # its rows are compared with one another


class Deck:
    """Numbers in random order, of which none is dealt again before all others have been.

    Parameters
    ----------
    numbers : ndarray of int
        All of them.
    random : RandomState
        Shuffles.
    """

    def __init__(self, numbers: np.ndarray, random: np.random.RandomState) -> None:
        self._numbers = numbers
        self._random = random
        self._left: list[int] = []

    def deal(self, count: int) -> list[int]:
        """Return so many numbers."""
        while len(self._left) < count:
            self._left += self._random.permutation(self._numbers).tolist()
        dealt, self._left = self._left[:count], self._left[count:]
        return dealt


def in_batches(rows: np.ndarray, size: int) -> list[list[int]]:
    """Cut rows into batches of `size`; no last one of a single row, which has no variance."""
    starts = list(range(0, len(rows), size))
    if size > 1 and len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    return [part.tolist() for part in np.split(rows, starts[1:])]
