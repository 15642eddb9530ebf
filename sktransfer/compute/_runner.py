"""Cells through a function of network inputs: prepared ahead, in batches, in parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sktransfer._warnings import warn
from sktransfer.compute._batching import (
    budget_batches,
    equal_batches,
    even_size,
    longest_first,
    shuffled,
)
from sktransfer.compute._cell_errors import CellErrors
from sktransfer.compute._out_of_memory import OutOfMemorySplitter
from sktransfer.compute._parallel import parallel_map, prefetch
from sktransfer.exceptions import BackboneError, BadCellError
from sktransfer.modalities import DigestedCells, Forward, Preparer

if TYPE_CHECKING:
    import torch

#: Rows of the column, and what was computed for them.
Computed = tuple[Sequence[int], np.ndarray]


# Cells prepared ahead of the network: two batches of images on a CPU.
_PREPARED_AHEAD = 16
# The same of cells that differ in length, `window` of which are prepared together: a recording may
# take as much memory as a thousand images.
_WINDOWS_AHEAD = 2
# Rows per batch where the batches are not computed.
_PREPARED_TOGETHER = 64


class Batch(NamedTuple):
    """Rows of a column that go through the network together.

    Attributes
    ----------
    rows : sequence of int
        Positions in the column.
    items : list or None
        Their prepared cells; None if they are still to be prepared.
    """

    rows: Sequence[int]
    items: list[Any] | None = None


@dataclass(frozen=True)
class Runner:
    """Runs the cells of a column through a network.

    Parameters
    ----------
    preparer : Preparer
        Prepares and collates the cells.
    cells : DigestedCells
        The column.
    errors : CellErrors
        Collects the errors of cells that cannot be prepared.
    device : torch.device
        Device of the network.
    batch_size : int or "auto"
        Rows per batch; "auto" takes the preparer's budget.
    parallelism : int
        Number of batches computed in parallel.
    """

    preparer: Preparer
    cells: DigestedCells
    errors: CellErrors
    device: torch.device
    batch_size: int | str = "auto"
    parallelism: int = 1

    def batches(self, rows: Sequence[int], *, shuffle: bool = False) -> Iterator[Batch]:
        """Group rows into batches, by length where cells differ in it.

        Parameters
        ----------
        rows : sequence of int
            Positions in the column.
        shuffle : bool
            Whether to yield them in random order: jobs that compute the same rows at the same
            time would otherwise do so side by side.
        """
        if self.preparer.variable_length:
            yield from self._by_length(rows, shuffle)
            return
        size = even_size(self._budget, len(rows), self.parallelism)
        if self.batch_size != "auto":
            size = int(self.batch_size)
        yield from map(Batch, equal_batches(shuffled(rows) if shuffle else rows, size))

    def prepare(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Prepare cells in threads ahead of the consumer; bad cells are left out of their batch."""
        sizes: deque[int] = deque()

        def rows() -> Iterator[int]:
            for batch in batches:
                if len(batch.rows):
                    sizes.append(len(batch.rows))
                    yield from batch.rows

        prepared = prefetch(self._prepare_row, rows(), depth=_PREPARED_AHEAD)
        for first in prepared:
            rest = islice(prepared, sizes.popleft() - 1)
            good = [(row, item) for row, item in (first, *rest) if item is not None]
            if good:
                yield _batch(good)

    def prepare_all(self, rows: Sequence[int]) -> dict[int, Any]:
        """Return the prepared cell of each row, without the rows whose cells are bad."""
        items: dict[int, Any] = {}
        for done, prepared in self.prepare(map(Batch, equal_batches(rows, _PREPARED_TOGETHER))):
            items.update(zip(done, prepared or (), strict=True))
        return items

    def run(self, forward: Forward, batches: Iterable[Batch]) -> Iterator[Computed]:
        """Yield what a function computes for each batch, in order.

        Parameters
        ----------
        forward : callable
            From network inputs to one output per row; several threads may call it.
        batches : iterable of Batch
            Cells that are not prepared yet are prepared on the way. A batch that does not fit
            in memory is computed in parts.
        """
        splitter = OutOfMemorySplitter(self._size)

        def on_items(items: list[Any]) -> np.ndarray:
            return self.preparer.apply(forward, items, self.device)

        def compute(batch: Batch) -> Computed:
            return batch.rows, splitter.run(on_items, batch.items)

        # Closed even if the caller keeps an error, which keeps its frames.
        with closing(self._prepared(batches)) as ready:
            waiting = 0 if self.preparer.gathered else None  # long cells may fill the memory
            yield from parallel_map(compute, ready, self.parallelism, waiting=waiting)

    def finite(
        self, computed: Iterable[Computed], precision: str, *, are_needed: bool = False
    ) -> Iterator[Computed]:
        """Yield computed rows without those that are not finite.

        Parameters
        ----------
        computed : iterable of (rows, array)
            From `run`.
        precision : str
            Of the forward pass, for the message.
        are_needed : bool
            Whether such a row raises even if bad cells do not.

        Raises
        ------
        BackboneError
            With the first such row, unless it is recorded as a bad cell.
        """
        for rows, features in computed:
            if len(rows) != len(features):  # which the plan refuses
                yield rows, features
                continue
            bad = np.flatnonzero(~np.isfinite(features.reshape(len(rows), -1)).all(axis=1))
            for place in bad.tolist():
                self._add_not_finite(rows[place], precision, are_needed)
            if len(bad) < len(rows):
                yield np.delete(rows, bad).tolist(), np.delete(features, bad, axis=0)

    def warn(self, outcome: str = "filled with NaN") -> None:
        """Warn of cells that cannot be used, and of cells that are used in part.

        Parameters
        ----------
        outcome : str
            What became of the rows of the former.
        """
        digests = self.cells.digests
        self.errors.warn(digests, outcome)
        for remark, concerned in self.preparer.remarks.items():
            rows = [row for row, digest in enumerate(digests) if digest in concerned]
            warn(
                f"{len(rows)} of {len(digests)} {remark.clause}. The first is "
                f"{self.errors.column.where(rows[0])}.",
                remark.category,
            )

    @property
    def _budget(self) -> int:
        return self.preparer.budget(self.device.type == "cpu")

    def _prepared(self, batches: Iterable[Batch]) -> Generator[Batch]:
        yield from batches if self.preparer.variable_length else self.prepare(batches)

    def _by_length(self, rows: Sequence[int], shuffle: bool) -> Iterator[Batch]:
        def prepared(some: Sequence[int]) -> list[tuple[int, Any]]:
            pairs = map(self._prepare_row, some)
            return [(row, item) for row, item in pairs if item is not None]

        gathered: list[tuple[int, Any]] = []
        total = 0
        jobs = equal_batches(rows, self.preparer.window)
        for good in prefetch(prepared, jobs, depth=_WINDOWS_AHEAD):
            gathered += good
            total += sum(self.preparer.length(item) for _, item in good)
            if total >= self.preparer.gathered:
                yield from self._in_groups(gathered, shuffle)
                gathered, total = [], 0
        yield from self._in_groups(gathered, shuffle)

    def _in_groups(self, good: list[tuple[int, Any]], shuffle: bool) -> list[Batch]:
        groups = self._grouped([self.preparer.length(item) for _, item in good])
        groups = shuffled(groups) if shuffle else groups
        return [_batch([good[i] for i in group]) for group in groups]

    def _grouped(self, lengths: list[int]) -> list[Sequence[int]]:
        if self.batch_size != "auto":
            return equal_batches(longest_first(lengths), int(self.batch_size))
        return budget_batches(lengths, even_size(self._budget, sum(lengths), self.parallelism))

    def _prepare_row(self, row: int) -> tuple[int, Any]:
        try:
            return row, self.preparer.prepare(self.cells.cells[row], self.cells.digests[row])
        except BadCellError as error:
            self.errors.add(row, error)
            return row, None

    def _add_not_finite(self, row: int, precision: str, is_needed: bool) -> None:
        more = "" if precision == "float32" else ", and whether precision='float32' helps"
        problem = (
            "the network gives features that are not finite. See whether its weights are "
            f"complete{more}."
        )
        if is_needed or self.errors.may_raise:
            raise BackboneError(f"{self.errors.column.where(row)}: {problem}")
        self.errors.add(row, BadCellError(problem))

    def _size(self, items: list[Any]) -> int:
        return len(items) * max(map(self.preparer.length, items))


def _batch(prepared: list[tuple[int, Any]]) -> Batch:
    return Batch([row for row, _ in prepared], [item for _, item in prepared])
