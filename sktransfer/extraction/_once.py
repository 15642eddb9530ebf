"""Every distinct cell goes through the network once; all else is looked up."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np

from sktransfer.cache import FeatureCache, record
from sktransfer.exceptions import BackboneError

#: Positions of some rows in their column, and their features.
Computed = tuple[Sequence[int], np.ndarray]

# Computed rows go to the cache about this often: little is lost when the process is killed,
# and little time goes into many small writes.
_SECONDS_BETWEEN_WRITES = 1.0
#: What is done to all rows is done to so many at a time: no second array of all of them.
ROWS_TOGETHER = 4096


def first_rows(digests: Sequence[bytes | None], rows: Iterable[int]) -> dict[bytes, int]:
    """Return, for each distinct cell among some rows, the first that has it, in order."""
    first: dict[bytes, int] = {}
    for row in rows:
        digest = digests[row]
        if digest is not None:
            first.setdefault(digest, row)
    return first


class Lookup:
    """The rows that a call asks for, and which of them the cache does not have yet.

    Parameters
    ----------
    cache : FeatureCache
        Where rows may already be.
    space : bytes
        What computes the rows.
    digests : sequence of bytes or None
        Content of each cell; None for a cell that is not to be computed.
    width : int
        Length of a row.

    Attributes
    ----------
    todo : list of int
        One position of each distinct cell that must be computed, in order.
    """

    def __init__(
        self, cache: FeatureCache, space: bytes, digests: Sequence[bytes | None], width: int
    ) -> None:
        self._cache = cache
        self._width = width
        first = self._first = first_rows(digests, range(len(digests)))
        self._distinct = list(first)
        number: dict[bytes | None, int] = {d: i for i, d in enumerate(self._distinct)}
        #: For each position, the number of its distinct cell; -1 if it is not to be computed.
        self._numbers = np.array([number.get(digest, -1) for digest in digests], dtype=np.intp)
        self.look_in(space)
        record(asked=len(digests))

    def look_in(self, space: bytes) -> None:
        """Look for all rows again, among those that something else has computed."""
        self._space = space
        self._rows, found = self._cache.read(space, self._distinct, self._width)
        self.todo = [self._first[self._distinct[i]] for i in np.flatnonzero(~found)]

    def due(self, positions: Sequence[int]) -> list[int]:
        """Return which of these are to be computed still; others may have done so meanwhile."""
        numbers = self._numbers[list(positions)]
        digests = [self._distinct[number] for number in numbers]
        rows, found = self._cache.read(self._space, digests, self._width)
        self._rows[numbers[found]] = rows[found]
        return [p for p, is_there in zip(positions, found, strict=True) if not is_there]

    def fill(self, computed: Iterable[Computed]) -> None:
        """Take computed rows and keep them, also those from before an error or an interrupt."""
        pending: list[Computed] = []
        last = time.monotonic()
        try:
            for positions, rows in computed:
                expected = (len(positions), self._rows.shape[1])
                if rows.shape != expected:  # NumPy would repeat a single row or value
                    raise BackboneError(
                        f"The network gives features of shape {rows.shape} for {expected[0]} rows "
                        f"where {expected} is due: one vector a row, always of the same length."
                    )
                self._rows[self._numbers[list(positions)]] = rows
                pending.append((positions, rows))
                if time.monotonic() - last > _SECONDS_BETWEEN_WRITES:
                    self._keep(pending)
                    pending, last = [], time.monotonic()
        finally:
            self._keep(pending)

    def rows(self) -> np.ndarray:
        """Return one row a cell, float32; NaN where nothing was computed."""
        if len(self._numbers) > len(self._rows):  # else every cell is there once, in order
            self._spread()
        return self._rows

    def _spread(self) -> None:
        """Bring the rows of distinct cells to their positions, without a second array of them.

        A cell is numbered when it is first met, so no row has to move towards the front: from
        the end on, none is overwritten before it was taken.
        """
        count = len(self._numbers)
        self._rows.resize((count, self._rows.shape[1]), refcheck=False)
        for stop in range(count, 0, -ROWS_TOGETHER):
            part = slice(max(0, stop - ROWS_TOGETHER), stop)
            numbers = self._numbers[part]
            self._rows[part] = self._rows[numbers]
            self._rows[part][numbers < 0] = np.nan
        self._numbers = np.arange(count)

    def _keep(self, pending: list[Computed]) -> None:
        if not pending:
            return
        positions = [position for positions, _ in pending for position in positions]
        digests = [self._distinct[number] for number in self._numbers[positions]]
        self._cache.write(self._space, digests, np.concatenate([rows for _, rows in pending]))
        record(computed=len(digests))
