"""Approximate search for the rows of highest cosine, by a graph of usearch."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch

from sktransfer.neighbors._equal_rows import EqualRows
from sktransfer.neighbors._nearest_rows import nearest_rows, products, rank

# Neighbours beyond k that are read from the graph, since its numbers are rounded.
_MORE = 8
# Rows by which others are sorted, and rows that are sorted at once.
_PIVOTS, _BLOCK = 256, 1 << 14


def has_usearch() -> bool:
    """Return whether usearch is installed, without importing it."""
    return find_spec("usearch") is not None


def check_usearch() -> None:
    """Raise an error that names the extra if usearch is not installed."""
    if not has_usearch():
        raise ImportError(
            "algorithm='approximate' needs the package usearch: pip install 'sktransfer[search]'"
        )


class ApproximateIndex:
    """A navigable small-world graph over rows that are rounded to 8 bits.

    Rows that are rounded to the same numbers are one node: many of them would fill each other's
    edges, and cut the graph into parts.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        At unit length.
    connectivity, expansion_add : int
        See `SimilaritySearch`.
    n_jobs : int
        Threads that build it.
    """

    def __init__(
        self, rows: np.ndarray, *, connectivity: int, expansion_add: int, n_jobs: int
    ) -> None:
        from usearch.index import Index

        self._rows = rows
        # usearch's own rounding is to 1 / 127 of a row's length, far coarser.
        self._scale = 127 / max(float(np.abs(rows).max()), 1e-6)
        self._equal = EqualRows(self._rounded(rows))
        self._index = Index(
            ndim=rows.shape[1],
            metric="cos",
            dtype="i8",
            connectivity=connectivity,
            expansion_add=expansion_add,
        )
        self._pivots = rows[:: -(-len(rows) // _PIVOTS)]
        first = self._equal.first
        order = self._order(rows[first])
        codes = self._rounded(rows[first[order]])
        self._index.add(order.astype(np.uint64), codes, threads=n_jobs)

    def nearest(
        self, rows: np.ndarray, k: int, expansion_search: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return positions of near rows (n, k), and exact distances."""
        count, nodes = min(k + k // 2 + _MORE, len(self._rows)), len(self._equal.first)
        places, is_short = self._candidates(rows, min(count, nodes), expansion_search)
        if nodes < len(self._rows):
            nearest_first, _ = rank(rows, self._rows, places, places.shape[1])
            places = self._equal.members(nearest_first, count)
        ranked = rank(rows, self._rows, places, k)
        exact = nearest_rows(rows[is_short], self._rows, k=k)
        for values, better in zip(ranked, exact, strict=True):
            values[is_short] = better
        return ranked

    def _candidates(
        self, rows: np.ndarray, count: int, expansion_search: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return positions of the rows of near nodes (n, count), and whether some are missing."""
        order = self._order(rows)
        queries = self._rounded(rows[np.append(order, 0)])  # of one, there would be no counts
        self._index.expansion_search = expansion_search
        found = self._index.search(queries, count, threads=torch.get_num_threads())
        nodes, is_short = np.empty((len(rows), count), np.intp), np.empty(len(rows), bool)
        is_short[order] = np.asarray(found.counts)[:-1] < count
        nodes[order] = np.where(is_short[order, None], np.arange(count), found.keys[:-1])
        return self._equal.first[nodes], is_short

    def _order(self, rows: np.ndarray) -> np.ndarray:
        """Return an order in which near rows follow each other.

        They read the same part of the graph, which then is in the cache of the processor.
        """
        # NumPy's threads would wait actively after a product, and slow those of the graph down.
        blocks = (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
        nearest = np.concatenate([products(block, self._pivots).argmax(dim=1) for block in blocks])
        return np.argsort(nearest, kind="stable")

    def _rounded(self, rows: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(rows * self._scale), -127, 127).astype(np.int8)
