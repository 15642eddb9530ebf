"""Exact search for all pairs of rows of high cosine, in tiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

# Rows and columns of a tile of cosines: 64 MB.
_TILE = 4_096
#: Most pairs that are kept: about 1 GB.
MOST_PAIRS = 50_000_000


def unit_rows(rows: np.ndarray, dtype: DTypeLike | None = None) -> np.ndarray:
    """Return rows at unit length, of float32, float64 or `dtype`; a row of zeros stays one."""
    rows = np.ascontiguousarray(rows, dtype=np.result_type(np.float32, rows.dtype))
    # Powers of two, which round nothing: squares of large or small numbers are no float32.
    rows = np.ldexp(rows, -np.frexp(np.abs(rows).max(axis=1, keepdims=True, initial=0))[1])
    rows = rows.astype(dtype or rows.dtype, copy=False)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def near_pairs(
    rows: np.ndarray, others: np.ndarray | None = None, *, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find all pairs of rows whose cosine is at least `threshold`.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        At unit length, see `unit_rows`.
    others : ndarray of shape (m, d), optional
        Rows to pair them with; None for pairs within `rows`, each once.
    threshold : float
        Least cosine.

    Returns
    -------
    pairs : ndarray of shape (p, 2)
        Positions in `rows` and in `others`, in lexicographic order.
    cosines : ndarray of shape (p,)
        Cosine of each pair.

    Raises
    ------
    ValueError
        If there are more than `MOST_PAIRS`.
    """
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    count = 0
    for start, stop, cosines in _tiles(rows, others):
        keep = cosines >= threshold
        if others is None and stop < start + len(cosines):
            keep &= np.arange(start, start + len(cosines))[:, None] < np.arange(
                stop, stop + cosines.shape[1]
            )
        i, j = np.nonzero(keep)
        count += len(i)
        if count > MOST_PAIRS:
            raise ValueError(
                f"more than {MOST_PAIRS:,} pairs have a similarity of {threshold} or more; pass a "
                "higher threshold."
            )
        found.append((i + start, j + stop, cosines[i, j]))
    first, second, values = map(np.concatenate, zip(*found, strict=True))
    order = np.lexsort((second, first))
    return np.stack([first, second], axis=1)[order], values[order]


def _tiles(rows: np.ndarray, others: np.ndarray | None) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield cosines with the positions of their first row and column, within rows not both ways."""
    columns = rows if others is None else others
    for start in range(0, len(rows), _TILE):
        first = start if others is None else 0
        for stop in range(first, max(len(columns), 1), _TILE):
            yield start, stop, rows[start : start + _TILE] @ columns[stop : stop + _TILE].T
