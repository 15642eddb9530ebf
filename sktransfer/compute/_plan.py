"""Which rows are in the cache, and which must be computed: each distinct cell once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from sktransfer import _runtime
from sktransfer.cache import FeatureCache, record
from sktransfer.compute._runner import Batch, Computed, Runner
from sktransfer.exceptions import BackboneError

# Computed rows are written to the cache about this often: a killed process loses little, and few
# small writes are made.
_SECONDS_BETWEEN_WRITES = 1.0
#: Rows processed at a time where all rows are gone through, to avoid a second array of them.
CHUNK = 4096


def first_rows(digests: Sequence[bytes | None], rows: Iterable[int]) -> dict[bytes, int]:
    """Return, for each distinct cell among some rows, its first row, in order."""
    first: dict[bytes, int] = {}
    for row in rows:
        digest = digests[row]
        if digest is not None:
            first.setdefault(digest, row)
    return first


class RowPlan:
    """The rows that a call asks for, and those of them that are to be computed.

    Parameters
    ----------
    cache : FeatureCache
        Where rows may already be.
    space : bytes
        Key of what computes the rows.
    digests : sequence of bytes or None
        Digest of each cell; None for a cell that is not to be computed.
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
        # The number of each position's distinct cell; -1 if it is not to be computed.
        self._numbers = np.array([number.get(digest, -1) for digest in digests], dtype=np.intp)
        self._pending: list[Computed] = []
        self.look_in(space)
        record("asked", len(digests))

    def look_in(self, space: bytes) -> None:
        """Look up all rows again, under another key."""
        self._space = space
        self._rows, found = self._read(self._distinct)
        self.todo = [self._first[self._distinct[i]] for i in np.flatnonzero(~found)]
        self._n_left = len(self.todo)

    def batches(self, runner: Runner) -> Iterator[Batch]:
        """Group the rows to compute into batches of a runner.

        Parallel jobs of a cross-validation need the same rows at the same time. With a cache, each
        takes batches in random order and leaves out what another has written meanwhile.
        """
        if self._cache.folder is None or not _runtime.may_be_one_of_several_jobs():
            return runner.batches(self.todo)
        return self.without_done(runner.batches(self.todo, shuffle=True))

    def without_done(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Leave out rows that other jobs have written to the cache since the look-up."""
        for rows, items in batches:
            numbers = self._numbers[list(rows)]
            digests = [self._distinct[number] for number in numbers]
            features, found = self._read(digests)
            self._rows[numbers[found]] = features[found]
            self._n_left -= int(found.sum())
            left = np.flatnonzero(~found).tolist()
            if left:
                yield Batch([rows[i] for i in left], items and [items[i] for i in left])

    def fill(
        self, computed: Iterable[Computed], advance: Callable[[int], None] = lambda rows: None
    ) -> None:
        """Take computed rows and cache them, also those from before an error or an interrupt.

        Parameters
        ----------
        computed : iterable of (positions, rows)
            From the runner.
        advance : callable
            Called with the number of rows that were done since its last call, by this job or
            others.
        """
        last, left = time.monotonic(), self._n_left
        try:
            for positions, rows in computed:
                self._check(rows, len(positions))
                self._rows[self._numbers[list(positions)]] = rows
                self._pending.append((positions, rows))
                self._n_left -= len(positions)
                if time.monotonic() - last > _SECONDS_BETWEEN_WRITES:
                    self._write_pending()
                    last = time.monotonic()
                advance(left - self._n_left)
                left = self._n_left
        finally:
            self._write_pending()
        if left != self._n_left:
            advance(left - self._n_left)

    def rows(self) -> np.ndarray:
        """Return one row per cell, float32; NaN where nothing was computed."""
        if len(self._numbers) > len(self._rows):  # otherwise each cell is there once, in order
            self._expand()
        return self._rows

    def _expand(self) -> None:
        """Copy the rows of distinct cells to their positions, within one array.

        Cells are numbered when first met, so no row has to move towards the front: from the end
        on, none is overwritten before it is copied.
        """
        count = len(self._numbers)
        self._rows.resize((count, self._rows.shape[1]), refcheck=False)
        for stop in range(count, 0, -CHUNK):
            part = slice(max(0, stop - CHUNK), stop)
            numbers = self._numbers[part]
            self._rows[part] = self._rows[numbers]
            self._rows[part][numbers < 0] = np.nan
        self._numbers = np.arange(count)

    def _check(self, rows: np.ndarray, count: int) -> None:
        expected = (count, self._rows.shape[1])
        if rows.shape != expected:  # NumPy would broadcast a single row or value
            raise BackboneError(
                f"The network gives features of shape {rows.shape} for {count} rows, expected "
                f"{expected}: one vector per row, always of the same length."
            )

    def _write_pending(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        positions = [position for positions, _ in pending for position in positions]
        digests = [self._distinct[number] for number in self._numbers[positions]]
        self._write(digests, np.concatenate([rows for _, rows in pending]))
        record("computed", len(digests))

    def _read(self, digests: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        return self._cache.read(self._space, digests, self._width)

    def _write(self, digests: Sequence[bytes], rows: np.ndarray) -> None:
        self._cache.write(self._space, digests, rows)


class TextPlan(RowPlan):
    """A plan of rows that are texts.

    Parameters
    ----------
    cache : FeatureCache
        Where texts may already be.
    space : bytes
        Key of what computes the texts.
    digests : sequence of bytes or None
        Digest of each cell; None for a cell that is not to be computed.
    """

    def __init__(self, cache: FeatureCache, space: bytes, digests: Sequence[bytes | None]) -> None:
        super().__init__(cache, space, digests, width=1)

    def rows(self) -> np.ndarray:
        """Return one text per cell, object (n,); None where nothing was computed."""
        return np.append(self._rows, [None])[self._numbers]

    def _check(self, rows: np.ndarray, count: int) -> None:
        if rows.shape != (count,):
            raise BackboneError(f"{len(rows)} texts were computed for {count} rows.")

    def _read(self, digests: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        texts = self._cache.read_texts(self._space, digests)
        return np.array(texts, dtype=object), np.array([text is not None for text in texts], bool)

    def _write(self, digests: Sequence[bytes], rows: np.ndarray) -> None:
        self._cache.write_texts(self._space, digests, rows.tolist())
