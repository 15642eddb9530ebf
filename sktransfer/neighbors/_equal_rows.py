"""Rows that are equal, and the one that stands for them."""

from __future__ import annotations

import numpy as np
import xxhash


class EqualRows:
    """Groups of equal rows.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Rows, in C order.

    Attributes
    ----------
    first : ndarray of shape (g,), int
        Position of the first row of each group.
    """

    def __init__(self, rows: np.ndarray) -> None:
        digests = np.fromiter(map(xxhash.xxh3_64_intdigest, rows), np.uint64, len(rows))
        _, self.first, self._groups, self._sizes = np.unique(
            digests, return_index=True, return_inverse=True, return_counts=True
        )
        self._by_group = np.argsort(self._groups, kind="stable")
        self._starts = np.cumsum(self._sizes) - self._sizes

    def members(self, places: np.ndarray, count: int) -> np.ndarray:
        """Return the first members of the groups of some rows, group after group.

        Parameters
        ----------
        places : ndarray of shape (q, m), int
            Positions of rows, of as many groups.
        count : int
            Number of members, at most that of all members of these groups.

        Returns
        -------
        ndarray of shape (q, count), int
            Positions of rows.
        """
        groups = self._groups[places]
        ends = np.minimum(self._sizes[groups], count).cumsum(axis=1)
        starts = np.pad(ends, ((0, 0), (1, 0)))
        found, each = np.empty((len(places), count), np.intp), np.arange(len(places))
        for slot in range(count):
            which = (ends <= slot).sum(axis=1)
            within = slot - starts[each, which]
            found[:, slot] = self._by_group[self._starts[groups[each, which]] + within]
        return found
