"""The best items per user."""

from __future__ import annotations

import numpy as np

from sktransfer.recommend._towers import Histories

# Scores that are computed at a time.
_BLOCK = 1 << 24


def best_items(
    users: np.ndarray,
    items: np.ndarray,
    k: int,
    *,
    allowed: np.ndarray,
    seen: Histories | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions and scores of the best items of each user, the best first.

    Parameters
    ----------
    users, items : ndarray
        Vectors.
    k : int
        Number of items, at most all.
    allowed : ndarray of bool, shape (items,)
        Whether an item can be recommended at all.
    seen : Histories or None
        Items that are not recommended to each user.

    Returns
    -------
    positions, scores : ndarray of shape (users, k)
        The score is minus infinity where nothing is left to recommend.
    """
    items = np.where(allowed[:, None], items, 0).astype(np.float32)
    positions = np.empty((len(users), k), dtype=np.intp)
    best = np.empty((len(users), k), dtype=np.float32)
    size = max(1, _BLOCK // len(items))
    for start in range(0, len(users), size):
        rows = np.arange(start, min(start + size, len(users)))
        scores = users[rows] @ items.T
        scores[:, ~allowed] = -np.inf
        if seen is not None:
            part = seen.take(rows)
            scores[part.rows(), part.items] = -np.inf
        top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        found = np.take_along_axis(scores, top, axis=1)
        order = np.lexsort((top, -found))
        positions[rows] = np.take_along_axis(top, order, axis=1)
        best[rows] = np.take_along_axis(found, order, axis=1)
    return positions, best


def recall(top: np.ndarray, wanted: np.ndarray, n_items: int) -> np.ndarray:
    """Return the recall of each user who has wanted items.

    Parameters
    ----------
    top : ndarray of shape (users, k)
        Positions of recommended items; -1 for none.
    wanted : ndarray of int
        Number of the user times `n_items` plus position of the item, each once.
    n_items : int
        Number of all items.
    """
    keys = np.arange(len(top))[:, None] * n_items + top
    hits = (np.isin(keys, wanted) & (top >= 0)).sum(axis=1)
    counts = np.bincount(wanted // n_items, minlength=len(top))
    found: np.ndarray = (hits / np.clip(counts, 1, top.shape[1]))[counts > 0]
    return found
