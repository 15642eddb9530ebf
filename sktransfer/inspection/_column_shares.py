"""Shares of columns: how much lower the score of a row is with cells of other rows in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sktransfer.columns import Rows
from sktransfer.inspection._left_out import Copy
from sktransfer.inspection._part_weights import Place, Score
from sktransfer.modalities import Parts

#: Returns a cell.
Cell = Callable[[], Any]


class Others:
    """The cells that take the place of a column's own.

    Parameters
    ----------
    rows : Rows
        The rows to explain.
    parts : mapping of (row, column) to Parts
        Cells that can be blanked.
    background : Rows or None
        Rows to draw from; None for blank cells where there are any, else the other rows.
    n_draws : int
        Rows to draw.
    random : RandomState
        Draws them.

    Attributes
    ----------
    shape : tuple of int
        Number of rows to explain, and of columns.
    """

    def __init__(
        self,
        rows: Rows,
        parts: Mapping[Place, Parts],
        background: Rows | None,
        n_draws: int,
        random: np.random.RandomState,
    ) -> None:
        self._parts, self._is_own = parts, background is None
        source = rows if background is None else background
        self._drawn = random.permutation(len(source))[: n_draws + self._is_own].tolist()
        self._n_draws = n_draws
        self.shape = len(rows), len(rows.names)
        self._cells = [source.cells(column) for column in range(len(rows.names))]

    def of(self, row: int, column: int) -> list[Cell]:
        """Return the other cells of one cell; none if there is nothing to take."""
        parts = self._parts.get((row, column))
        if self._is_own and parts is not None:
            return [partial(parts.without, parts.whole)]
        cells = self._cells[column]
        drawn = [other for other in self._drawn if not (self._is_own and other == row)]
        return [partial(cells.__getitem__, other) for other in drawn[: self._n_draws]]


def scores_without(usable: Sequence[int], others: Others, score: Score) -> np.ndarray:
    """Return mean scores of rows with other cells in a column, or in all of them.

    Parameters
    ----------
    usable : sequence of int
        The rows.
    others : Others
        What takes the place of cells.
    score : callable
        From copies of rows to their scores.

    Returns
    -------
    ndarray of shape (n, n_columns + 1)
        The last column is of rows without any cell of their own. NaN where nothing can take the
        place of a cell, and of other rows.
    """
    n, k = others.shape
    keys, copies = [], []
    for row in usable:
        cells = {column: found for column in range(k) if (found := others.of(row, column))}
        for column, found in cells.items():
            keys += [(row, column)] * len(found)
            copies += [Copy(row, {column: cell}) for cell in found]
        for draw in range(max(map(len, cells.values()), default=0)):
            keys.append((row, k))
            copies.append(Copy(row, {c: found[draw % len(found)] for c, found in cells.items()}))
    total, count = np.zeros((2, n, k + 1))
    for key, value in zip(keys, score(copies).tolist(), strict=True):
        total[key] += value
        count[key] += 1
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
