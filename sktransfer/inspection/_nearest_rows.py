"""Exact search for rows of high cosine, in tiles: memory does not grow with the square of n."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Rows and columns of a tile of cosines: 64 MB.
_TILE = 4_096
#: Most pairs that are kept: about 1 GB.
MOST_PAIRS = 50_000_000


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows at unit length, float32; a row of zeros stays one."""
    rows = np.asarray(rows, dtype=np.float32)
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


def nearest_rows(
    rows: np.ndarray, others: np.ndarray | None = None, *, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows of highest cosine for each row.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        At unit length.
    others : ndarray of shape (m, d), optional
        Rows to search; None for `rows` without the row itself.
    k : int
        Number of neighbours; fewer where there are not as many rows.

    Returns
    -------
    neighbours : ndarray of shape (n, k)
        Positions in `others`, the nearest first.
    cosines : ndarray of shape (n, k)
        Their cosines.
    """
    k = min(k, len(rows) - 1 if others is None else len(others))
    places = np.zeros((len(rows), k), dtype=np.intp)
    best = np.full((len(rows), k), -np.inf, dtype=np.float32)
    if k > 0:
        for start, stop, cosines in _tiles(rows, others, whole=True):
            part = slice(start, start + len(cosines))
            if others is None:
                row = np.arange(start, start + len(cosines)) - stop
                is_inside = (row >= 0) & (row < cosines.shape[1])
                cosines[is_inside, row[is_inside]] = -np.inf
            places[part], best[part] = _merged(places[part], best[part], cosines, stop)
    return places, best


def _merged(
    places: np.ndarray, best: np.ndarray, cosines: np.ndarray, offset: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best of what was found before and of a tile, sorted."""
    k = best.shape[1]
    top = min(k, cosines.shape[1])
    new = np.argpartition(-cosines, top - 1, axis=1)[:, :top]
    values = np.concatenate([best, np.take_along_axis(cosines, new, axis=1)], axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    both = np.concatenate([places, new + offset], axis=1)
    return np.take_along_axis(both, order, axis=1), np.take_along_axis(values, order, axis=1)


def _tiles(
    rows: np.ndarray, others: np.ndarray | None, *, whole: bool = False
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield cosines with the positions of their first row and column; by default not both ways."""
    columns = rows if others is None else others
    for start in range(0, len(rows), _TILE):
        first = start if others is None and not whole else 0
        for stop in range(first, max(len(columns), 1), _TILE):
            yield start, stop, rows[start : start + _TILE] @ columns[stop : stop + _TILE].T
