"""The average precision of predicted boxes, as COCO defines it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

# Recalls at which the precision is read.
_RECALLS = np.linspace(0, 1, 101)


def average_precision(
    true: Sequence[Any], predicted: Sequence[Any], weights: Iterable[float], iou: float = 0.5
) -> dict[Any, float]:
    """Return the average precision of each class that is in `true`.

    It equals that of ``pycocotools.cocoeval.COCOeval`` for up to 100 boxes per image.

    Parameters
    ----------
    true, predicted : sequences of Boxes
        One per image, the predicted ones with scores.
    weights : iterable of float
        Of the images.
    iou : float
        Lowest intersection over union with a true box of one that has found it.
    """
    labels = {label for row in true for label in row.labels.tolist()}
    rows = [*zip(true, predicted, weights, strict=True)]
    return {label: _of_class(label, rows, iou) for label in sorted(labels)}


def _of_class(label: Any, rows: Sequence[Any], iou: float) -> float:
    scores, hits, shares, total = [], [], [], 0.0
    for true, predicted, weight in rows:
        own, found = true.boxes[true.labels == label], predicted.labels == label
        order = np.argsort(-predicted.scores[found], kind="stable")
        scores.append(predicted.scores[found][order])
        hits.append(_hits(own, predicted.boxes[found][order], iou))
        shares.append(np.full(len(order), float(weight)))
        total += float(weight) * len(own)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return _area(np.concatenate(hits)[order], np.concatenate(shares)[order], total)


def _hits(true: np.ndarray, found: np.ndarray, iou: float) -> np.ndarray:
    """Return which boxes, the best first, each find a true one that none before has found."""
    hits = np.zeros(len(found), dtype=bool)
    if not len(true):
        return hits
    overlaps = _ious(found, true)
    for number in range(len(found)):
        best = len(true) - 1 - overlaps[number, ::-1].argmax()  # the last of equals, as COCO has it
        if overlaps[number, best] >= iou - 1e-10:
            hits[number] = True
            overlaps[:, best] = -1
    return hits


def _ious(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    corner = np.minimum(one[:, None, 2:], other[None, :, 2:])
    sides = corner - np.maximum(one[:, None, :2], other[None, :, :2])
    both = sides.clip(min=0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (one, other)]
    return both / (areas[0][:, None] + areas[1][None] - both)


def _area(hits: np.ndarray, weights: np.ndarray, total: float) -> float:
    """Return the mean over recalls of the highest precision at that or a higher recall."""
    right, all_found = np.cumsum(hits * weights), np.cumsum(weights)
    if not total or not len(hits):
        return 0.0
    precision = right / np.maximum(all_found, 1e-12)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(right / total, _RECALLS)
    return float(np.append(best, 0.0)[places].mean())
