"""Large images as tiles that overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

# Share of a tile after which the next one starts, at most.
_STRIDE = 0.75

Box = tuple[slice, slice]


def tile_boxes(shape: Sequence[int], side: int) -> list[Box]:
    """Return rows and columns of tiles that cover an image, at even distances.

    Examples
    --------
    >>> tile_boxes((100, 160), 100)
    [(slice(0, 100, None), slice(0, 100, None)), (slice(0, 100, None), slice(60, 160, None))]
    """
    height, width = shape
    return [*product(_parts(height, side), _parts(width, side))]


def blended(tiles: Iterable[tuple[Box, np.ndarray]], shape: Sequence[int]) -> np.ndarray:
    """Return the mean of tiles (k, height, width) where they overlap, their middles counting most.

    Parameters
    ----------
    tiles : iterable of pairs of a box and an ndarray
        Boxes as `tile_boxes` returns them.
    shape : sequence of int
        Height and width of the whole.
    """
    total, weights = None, np.zeros(shape, dtype=np.float32)
    for box, values in tiles:
        weight = np.outer(*(_hill(length) for length in values.shape[1:])).astype(np.float32)
        if total is None:
            total = np.zeros((len(values), *shape), dtype=np.float32)
        total[:, *box] += values * weight
        weights[box] += weight
    assert total is not None
    total /= weights
    return total


def _parts(length: int, side: int) -> list[slice]:
    if length <= side:
        return [slice(0, length)]
    count = math.ceil((length - side) / max(1, int(_STRIDE * side))) + 1
    starts = np.linspace(0, length - side, count).round().astype(int).tolist()
    return [slice(start, start + side) for start in starts]


def _hill(length: int) -> np.ndarray:
    """Return weights that rise from the edges to the middle."""
    places = np.arange(length)
    return np.minimum(places + 1, length - places) / length
