"""Approximate search for the rows of highest cosine, by a graph of usearch."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch

from sktransfer.neighbors._nearest_rows import nearest_rows, rank

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

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        At unit length.
    connectivity, expansion_add, expansion_search : int
        See `SimilaritySearch`.
    n_jobs : int
        Threads that build it.
    """

    def __init__(
        self,
        rows: np.ndarray,
        *,
        connectivity: int,
        expansion_add: int,
        expansion_search: int,
        n_jobs: int,
    ) -> None:
        from usearch.index import Index

        self._rows = rows
        # usearch's own rounding is to 1 / 127 of a row's length, far coarser.
        self._scale = 127 / max(float(np.abs(rows).max()), 1e-6)
        self._index = Index(
            ndim=rows.shape[1],
            metric="cos",
            dtype="i8",
            connectivity=connectivity,
            expansion_add=expansion_add,
            expansion_search=expansion_search,
        )
        self._pivots = rows[:: -(-len(rows) // _PIVOTS)]
        order = self._order(rows)
        self._index.add(order.astype(np.uint64), self._rounded(rows[order]), threads=n_jobs)

    def nearest(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return positions of near rows (n, k), and exact distances."""
        count = min(k + k // 2 + _MORE, len(self._rows))
        order = self._order(rows)
        queries = self._rounded(rows[np.append(order, 0)])  # of one, there would be no counts
        found = self._index.search(queries, count, threads=torch.get_num_threads())
        places, is_short = np.zeros((len(rows), count), np.intp), np.empty(len(rows), bool)
        is_short[order] = np.asarray(found.counts)[:-1] < count
        places[order] = np.where(is_short[order, None], 0, found.keys[:-1])
        ranked = rank(rows, self._rows, places, k)
        exact = nearest_rows(rows[is_short], self._rows, k=k)
        for values, better in zip(ranked, exact, strict=True):
            values[is_short] = better
        return ranked

    def _order(self, rows: np.ndarray) -> np.ndarray:
        """Return an order in which near rows follow each other.

        They read the same part of the graph, which then is in the cache of the processor.
        """
        blocks = (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
        nearest = np.concatenate([(block @ self._pivots.T).argmax(axis=1) for block in blocks])
        return np.argsort(nearest, kind="stable")

    def _rounded(self, rows: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(rows * self._scale), -127, 127).astype(np.int8)
