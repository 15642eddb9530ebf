"""Batches of rows on their way into the part of a network that is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sktransfer.backbones import POOLED, Given
from sktransfer.extraction import Extraction, Failures, Reading, ahead, first_rows
from sktransfer.finetune._frozen import FrozenPart


@dataclass(frozen=True)
class Rows:
    """Some rows as a `FineTuned` module takes them.

    Attributes
    ----------
    positions : sequence of int
        In their column.
    inputs, given
        See `FineTuned.forward`.
    batch_size : int
        Rows of the batch that these are a share of; 0 if they are none.
    """

    positions: list[int]
    inputs: Any
    given: Given | None = None
    batch_size: int = 0

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, part: slice) -> Rows:
        given = self.given and Given(self.given.stage, self.given.activation[part])
        inputs = self.inputs
        if isinstance(inputs, dict):
            inputs = {name: tensor[part] for name, tensor in inputs.items()}
        elif inputs is not None:
            inputs = inputs[part]
        return Rows(self.positions[part], inputs, given)


class Stream(ABC):
    """Turns positions of rows into what a module takes."""

    @abstractmethod
    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[Rows]:
        """Yield the batches in order; rows whose cells fail are left out of them."""


class WholeRows(Stream):
    """Nothing is frozen, or rows look different each time: the whole network runs on cells.

    Parameters
    ----------
    extraction : Extraction
        Its reader prepares the cells.
    reading : Reading
        The cells.
    failures : Failures
        Hears of cells that cannot be prepared.
    change : callable, optional
        What is done to prepared cells before the network sees them.
    """

    def __init__(
        self,
        extraction: Extraction,
        reading: Reading,
        failures: Failures,
        change: Callable[[Any], Any] | None = None,
    ) -> None:
        self._extraction = extraction
        self._reading = reading
        self._failures = failures
        self._change = change

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[Rows]:
        """Prepare cells in threads, ahead of the network."""
        reader, backbone = self._extraction.reader, self._extraction.backbone

        def prepare(batch: Sequence[int]) -> Any:
            return reader.prepare(self._reading, batch, backbone, self._failures)

        for positions, batch in ahead(prepare, batches):
            if len(positions):
                changed = self._change(batch) if self._change else batch
                inputs = reader.inputs(changed, backbone, self._extraction.device)
                yield Rows(list(positions), inputs)


class StoredRows(Stream):
    """What the frozen part gives was computed once, and is at hand.

    Parameters
    ----------
    frozen : FrozenPart
        Computes.
    rows : sequence of int
        Every row that will be asked for.
    on_disk : bool
        Whether they are kept in a temporary file.
    """

    def __init__(self, frozen: FrozenPart, rows: Sequence[int], on_disk: bool = False) -> None:
        self._frozen = frozen
        digests = frozen.reading.digests
        first = first_rows(digests, rows)
        self._store = frozen.compute(list(first.values()), on_disk)
        number: dict[bytes | None, int] = {digest: at for at, digest in enumerate(first)}
        usable = set(frozen.usable())
        self._number = {row: number[digests[row]] for row in rows if row in usable}

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[Rows]:
        """Put rows together."""
        for batch in batches:
            rows = [int(row) for row in batch if row in self._number]
            if rows:
                numbers = [self._number[row] for row in rows]
                yield Rows(rows, *self._frozen.given(self._store, numbers, rows))


class FeatureRows(Stream):
    """Only the head learns, on features that are at hand.

    Parameters
    ----------
    features : Tensor of shape (n, d)
        One row a cell of the column.
    """

    def __init__(self, features: torch.Tensor) -> None:
        self._features = features

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[Rows]:
        """Put rows together."""
        for batch in batches:
            yield Rows(list(batch), None, Given(POOLED, self._features[list(batch)]))


class PassingRows(Stream):
    """What the frozen part gives is computed when it is needed, and not kept.

    Parameters
    ----------
    frozen : FrozenPart
        Computes.
    """

    def __init__(self, frozen: FrozenPart) -> None:
        self._frozen = frozen

    def __call__(self, batches: Sequence[Sequence[int]]) -> Iterator[Rows]:
        """Compute a bounded number of batches together, then yield them."""
        for some in self._together(batches):
            rows = np.concatenate([np.asarray(batch) for batch in some]).tolist()
            yield from StoredRows(self._frozen, rows)(some)

    def _together(self, batches: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
        rows = [int(row) for batch in batches for row in batch]
        ends = [window[-1] + 1 for window in self._frozen.windows(rows)] if rows else []
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
