"""Weights of the parts of cells: how much lower the score of a row is without each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np

from sktransfer.inspection._left_out import Copy
from sktransfer.modalities import Part, Parts, Weighted

#: Row and column of a cell.
Place: TypeAlias = tuple[int, int]
Score: TypeAlias = Callable[[Iterable[Copy]], np.ndarray]

# A cell of more parts than copies is cut into as many coarse ones as this share of the copies;
# with the others, those of the largest weights are cut further.
_COARSE = 0.5
# Coarse parts that the rest is shared by at least.
_REFINED = 4
# Weights below this share of the largest are those of parts that the model does not read.
_NOTHING = 1e-4


def part_weights(
    cells: Mapping[Place, Parts], outputs: np.ndarray, score: Score, most: int
) -> dict[Place, Weighted]:
    """Return cells with the weights of their parts.

    Parameters
    ----------
    cells : mapping of (row, column) to Parts
        The cells.
    outputs : ndarray of shape (n,)
        Score of each row.
    score : callable
        From copies of rows to their scores.
    most : int
        Copies per cell, at least 1.
    """
    whole = _whole_scores(cells, outputs, score)
    found: dict[Place, dict[Part, float]] = {place: {} for place in cells}
    left = dict.fromkeys(cells, most)
    due = {place: _first(parts, most) for place, parts in cells.items()}
    while any(due.values()):
        keys = [(place, part) for place, parts in due.items() for part in parts]
        scores = score(_copy(place, cells[place], part) for place, part in keys)
        for (place, part), value in zip(keys, scores.tolist(), strict=True):
            found[place][part] = whole[place] - value
            left[place] -= 1
        due = {place: _finer(cells[place], found[place], left[place]) for place in cells}
    return {p: cells[p].weighted([*weights], [*weights.values()]) for p, weights in found.items()}


def _copy(place: Place, parts: Parts, part: Part | None) -> Copy:
    row, column = place
    return Copy(row, {column: partial(parts.without, part)})


def _whole_scores(
    cells: Mapping[Place, Parts], outputs: np.ndarray, score: Score
) -> dict[Place, float]:
    """Return the score of each row with its cell in the form that the copies have."""
    found = {place: float(outputs[place[0]]) for place in cells}
    others = [place for place, parts in cells.items() if not parts.keeps_form]
    scores = score(_copy(place, cells[place], None) for place in others)
    return found | dict(zip(others, scores.tolist(), strict=True))


def _first(parts: Parts, most: int) -> list[Part]:
    """Return the finest parts, or coarser ones if these are too many."""
    found = parts.split(parts.whole, most)
    if any(len(parts.split(part, 2)) > 1 for part in found):
        return parts.split(parts.whole, max(1, round(_COARSE * most)))
    return found


def _finer(parts: Parts, weights: dict[Part, float], left: int) -> list[Part]:
    """Take the parts of the largest weights out of `weights`, and return parts of them."""
    largest = max(map(abs, weights.values()), default=0.0)
    order = sorted(weights, key=lambda part: -abs(weights[part]))
    order = [part for part in order if abs(weights[part]) > _NOTHING * largest]
    share = max(2, left // max(1, min(_REFINED, len(order))))
    found: list[Part] = []
    for part in order:
        pieces = parts.split(part, min(share, left - len(found)))
        if len(pieces) > 1:
            del weights[part]
            found += pieces
    return found
