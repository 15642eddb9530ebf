"""Copies of rows in which something is left out, and what a model says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sktransfer._warnings import warnings_ignored
from sktransfer.cache import reading_only
from sktransfer.columns import Rows
from sktransfer.exceptions import SktransferWarning
from sktransfer.inspection._model_scores import Scores
from sktransfer.inspection._watched_columns import in_this_thread

# Copies per call of the model, and the bytes of their changed cells: longer calls are no faster.
_MOST_ROWS, _MOST_BYTES = 2_000, 1 << 28


@dataclass(frozen=True)
class Copy:
    """A copy of a row.

    Attributes
    ----------
    row : int
        The row.
    cells : dict of int to callable
        By column, what returns the cell that takes the place of its own.
    """

    row: int
    cells: dict[int, Callable[[], Any]]


class CopyScores:
    """What a model says of copies of rows, each for the target of its row.

    Rows of features of the copies are read from the caches of the model's estimators, if they are
    there, and not written to them.

    Parameters
    ----------
    predict : callable
        From rows to `Scores`.
    rows : Rows
        The rows.
    targets : ndarray of shape (n,), int
        Column of the scores, by row.
    """

    def __init__(self, predict: Callable[[Any], Scores], rows: Rows, targets: np.ndarray) -> None:
        self._predict, self._rows, self._targets = predict, rows, targets

    def __call__(self, copies: Iterable[Copy]) -> np.ndarray:
        """Return one score per copy."""
        found = [np.empty(0)]
        with reading_only(), in_this_thread(), warnings_ignored(SktransferWarning):
            for some, X in self._containers(copies):
                values = self._predict(X).values
                found.append(values[range(len(some)), self._targets[[copy.row for copy in some]]])
        return np.concatenate(found)

    def _containers(self, copies: Iterable[Copy]) -> Iterator[tuple[list[Copy], Any]]:
        """Yield copies that fit in memory together, and the container of them."""
        left = iter(copies)
        some: list[Copy] = []
        changes: dict[int, dict[int, Any]] = {}
        size = 0
        for copy in left:
            for column, make in copy.cells.items():
                cell = changes.setdefault(column, {})[len(some)] = make()
                size += _bytes(cell)
            some.append(copy)
            if size > _MOST_BYTES or len(some) == _MOST_ROWS:
                yield some, self._rows.take([copy.row for copy in some], changes)
                some, changes, size = [], {}, 0
        if some:
            yield some, self._rows.take([copy.row for copy in some], changes)


def _bytes(cell: Any) -> int:
    if isinstance(cell, dict):
        return sum(map(_bytes, cell.values()))
    return getattr(cell, "nbytes", 64)
