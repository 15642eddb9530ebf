"""Exact search for the rows of highest cosine, in tiles: memory does not grow with n squared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from sktransfer import _runtime

# Rows of a tile of cosines, and how many it has: 128 MB in float32.
_ROWS = 256
_COSINES = 1 << 25
# Candidates beyond k whose exact distances are computed, since products are rounded.
_MORE = 8
# How far rounded cosines of equal rows may differ, in units of the precision.
_ROUNDING = 16
# Numbers of the rows of candidates that are compared at once: those in the processor's cache.
_CHUNK = 1 << 18


def nearest_rows(
    rows: np.ndarray, others: np.ndarray | None = None, *, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows of highest cosine for each row; of equal ones, the first.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        At unit length, see `unit_rows`.
    others : ndarray of shape (m, d), optional
        Rows to search; None for `rows` without the row itself.
    k : int
        Number of neighbours; fewer where there are not as many rows.

    Returns
    -------
    places : ndarray of shape (n, k)
        Positions in `others`, the nearest first.
    distances : ndarray of shape (n, k)
        1 minus their cosines.
    """
    searched = rows if others is None else others
    k = min(k, len(searched) - (others is None))
    places, distances = np.empty((len(rows), k), np.intp), np.empty((len(rows), k), rows.dtype)
    for start in range(0, len(rows) if k else 0, _ROWS):
        part = slice(start, min(start + _ROWS, len(rows)))
        wanted = k + (others is None)
        candidates = np.concatenate([*_candidates(rows[part], searched, wanted)], axis=1)
        ranked = rank(rows[part], searched, candidates, wanted)
        if others is None:
            ranked = without_own(*ranked, own=np.arange(part.start, part.stop))
        places[part], distances[part] = ranked
    return places, distances


def rank(
    rows: np.ndarray, others: np.ndarray, candidates: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest of the candidates of each row and their distances, sorted."""
    candidates = np.sort(candidates, axis=1)
    distances = np.empty(candidates.shape, rows.dtype)
    step = max(1, _CHUNK // max(1, candidates.shape[1] * rows.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        distances[part] = _distances(rows[part, None], others[candidates[part]])
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(
        distances, order, axis=1
    )


def products(rows: np.ndarray, others: np.ndarray) -> torch.Tensor:
    """Return the products of all rows with all others, by torch wherever that is exact."""
    # The user's own precision might round to bfloat16, and tensors share no read-only memory map.
    is_exact = torch.get_float32_matmul_precision() == "highest"
    if not (is_exact and rows.flags.writeable and others.flags.writeable):
        return torch.from_numpy(rows @ others.T)
    return torch.from_numpy(rows) @ torch.from_numpy(others).T


def without_own(
    places: np.ndarray, distances: np.ndarray, *, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Remove from the neighbours of each row the row itself, or else the last one."""
    keep = places != own[:, None]
    keep[keep.all(axis=1), -1:] = False
    shape = len(places), max(0, places.shape[1] - 1)
    return places[keep].reshape(shape), distances[keep].reshape(shape)


def _distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return 1 - cosine of unit rows: half the squared length of the difference.

    Other than 1 minus a product, it is exactly 0 for equal rows, and precise for near ones.
    """
    differences = others - rows
    half = np.einsum("...d,...d->...", differences, differences) / 2
    return np.where(rows.any(axis=-1) & others.any(axis=-1), half, 1)


def _candidates(rows: np.ndarray, others: np.ndarray, k: int) -> Iterator[np.ndarray]:
    """Yield positions that include the k nearest, from each tile of `others`."""
    step = max(1, _COSINES // _ROWS)
    with _runtime.inference(torch.device("cpu"), "float32"):
        for start in range(0, len(others), step):
            cosines = products(rows, others[start : start + step])
            yield start + _best(cosines, k)


def _best(cosines: torch.Tensor, k: int) -> np.ndarray:
    """Return positions of the k highest and some more; of equal ones, the first."""
    count = min(k + _MORE, cosines.shape[1])
    highest, found = torch.topk(cosines, count)
    if count > k:
        rounding = _ROUNDING * torch.finfo(cosines.dtype).eps
        least = highest[:, k - 1 : k] - rounding
        for row in torch.nonzero(highest[:, -1:] >= least)[:, 0].tolist():
            found[row] = _first_equal(cosines[row], highest[row], least[row], rounding)
    return found.numpy()


def _first_equal(
    cosines: torch.Tensor, highest: torch.Tensor, least: torch.Tensor, rounding: float
) -> torch.Tensor:
    """Return as many positions as `highest` has: what is above a tie, then its first rows."""
    above = torch.nonzero(cosines > least + 2 * rounding)[:, 0]
    equal = torch.nonzero((cosines >= least) & (cosines <= least + 2 * rounding))[:, 0]
    return torch.cat([above, equal])[: len(highest)]
