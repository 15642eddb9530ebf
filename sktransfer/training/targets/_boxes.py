"""Boxes of objects in images, and their labels."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from sktransfer.exceptions import TargetError
from sktransfer.modalities import IGNORED
from sktransfer.training.targets._average_precision import average_precision
from sktransfer.training.targets._checks import as_numpy, short
from sktransfer.training.targets._target import Target

# Share of a box, around its center, whose places learn it.
_CENTRAL = 0.5
# Probability of each class at each place before training, as in RetinaNet.
_PRIOR = 0.01
# Pixels by which a box may leave its image: the rounding of files.
_ROUNDING = 0.01
# Least side of a box, as a share of its image, in the mean of their sizes.
_LEAST_SIDE = 1e-4
# Predicted boxes of an image: before overlapping ones are left out, and after.
_MOST_CANDIDATES, _MOST = 1000, 100


class Boxes(NamedTuple):
    """Objects of an image.

    Attributes
    ----------
    boxes : ndarray of shape (k, 4)
        Left, top, right and bottom.
    labels : ndarray of shape (k,)
    scores : ndarray of shape (k,) or None
        Of predictions, the highest first.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class BoxTarget(Target):
    """Boxes, each with a class, found at the places of one map as in FCOS.

    Encoded boxes are in shares of width and height; the fifth number is that of the class.
    Outputs of the head are, at each place, scores of the k classes and the logarithms of the
    distances to the four sides.

    Attributes
    ----------
    classes : ndarray of shape (k,)
        Sorted labels, str or int.
    score_threshold : float
        Lowest score of a predicted box.
    nms_threshold : float
        Highest IoU of two predicted boxes of a class.
    """

    kind: ClassVar[str] = "boxes"
    level: ClassVar = "place"

    classes: np.ndarray
    score_threshold: float
    nms_threshold: float

    @classmethod
    def learn(
        cls, y: Any, used: Iterable[bool], *, score_threshold: float, nms_threshold: float
    ) -> Self:
        """Return the target of these rows of boxes; `used` says which are learned from."""
        rows = zip(y, used, strict=True)
        found = [as_boxes(item, row).labels for row, (item, learns) in enumerate(rows) if learns]
        labels = np.concatenate([some for some in found if len(some)] or [np.empty(0)])
        if not len(labels):
            raise TargetError("there is no box in y, so there is nothing to learn.")
        if len({some.dtype.kind for some in found if len(some)}) > 1:
            raise TargetError("labels of boxes must be all strings or all whole numbers.")
        return cls(np.unique(labels), score_threshold, nms_threshold)

    @property
    def n_outputs(self) -> int:
        """Number of classes, and four distances."""
        return len(self.classes) + 4

    def encode(self, y: Any, outlines: Sequence[Any] | None = None) -> list[torch.Tensor]:
        """Return the boxes of each row, float32 (k, 5)."""
        rows = enumerate(zip(y, outlines or [], strict=True))
        return [self._encoded(item, shape, row) for row, (item, shape) in rows]

    def _encoded(self, item: Any, shape: Any, row: int) -> torch.Tensor:
        if shape is None:
            return torch.empty(0, 5)
        boxes, labels, _ = as_boxes(item, row, shape)
        unknown = set(labels.tolist()) - set(self.classes.tolist())
        if unknown:
            raise TargetError(
                f"row {row} of y: {unknown.pop()!r} is none of the classes {short(self.classes)}."
            )
        numbers = np.searchsorted(self.classes, labels) if len(labels) else labels
        shares = boxes / np.tile(shape[::-1], 2)
        return torch.from_numpy(np.column_stack([shares, numbers]).astype(np.float32))

    def batch(self, targets: Any, rows: Sequence[int]) -> torch.Tensor:
        """Return the boxes of some rows, padded, (n, k, 5)."""
        return pad_sequence([targets[row] for row in rows], True, padding_value=IGNORED)

    def row_loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        """Return focal loss of classes and GIoU loss of boxes, summed over each row's places.

        Both are divided by the mean number of places that learn a box.
        """
        from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

        k, targets = len(self.classes), targets.to(outputs.device)
        box = _assigned(targets, outputs.shape[2:])
        row, top, left = (box >= 0).nonzero(as_tuple=True)
        true = targets[row, box[row, top, left]]
        classes = torch.zeros_like(outputs[:, :k])
        classes[row, true[:, 4].long(), top, left] = 1
        found = _decoded(outputs[:, k:]).movedim(1, 3)[row, top, left]
        losses = sigmoid_focal_loss(outputs[:, :k], classes).flatten(1).sum(1)
        losses = losses.index_add(0, row, generalized_box_iou_loss(found, true[:, :4]))
        return losses / max(1.0, len(row) / len(outputs))

    def to_proba(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return, at each place, the probabilities of the classes and the four sides of a box."""
        k = len(self.classes)
        return torch.cat([outputs[:, :k].sigmoid(), _decoded(outputs[:, k:])], 1)

    def bias(self, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the score of a low probability, and mean logarithms of half the sizes."""
        is_box = targets[..., 4] != IGNORED
        sizes = (targets[..., 2:4] - targets[..., :2])[is_box]
        share = weights.to(sizes.device)[:, None].expand(is_box.shape)[is_box]
        logs = (sizes.clamp(min=_LEAST_SIDE) / 2).log()
        means = (share[:, None] * logs).sum(0) / share.sum().clamp(min=1e-6)
        return torch.cat([torch.full((len(self.classes),), log(_PRIOR)), means.repeat(2).cpu()])

    def decode(self, outputs: np.ndarray) -> Boxes:
        """Return the boxes in outputs (k + 4, height, width) of one row, as shares of the sides."""
        from torchvision.ops import batched_nms

        k, places = len(self.classes), self.to_proba(torch.from_numpy(outputs)[None])[0]
        proba = places[:k]
        number, top, left = (proba >= self.score_threshold).nonzero(as_tuple=True)
        scores, best = proba[number, top, left].sort(descending=True, stable=True)
        scores, best = scores[:_MOST_CANDIDATES], best[:_MOST_CANDIDATES]
        boxes = places[k:, top, left].T[best].clamp(0, 1)
        kept = batched_nms(boxes, scores, number[best], self.nms_threshold)[:_MOST]
        labels = self.classes[number[best][kept].numpy()]
        return Boxes(boxes[kept].numpy(), labels, scores[kept].numpy())

    def join(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return all rows, each as in its batch."""
        return [row for part in parts for row in part]

    def score(self, outputs: Any, targets: Any, weights: np.ndarray) -> float:
        """Return the mean over the classes of the average precision at an IoU of 0.5."""
        true = [row[row[:, 4] != IGNORED] for row in targets]
        labelled = [Boxes(row[:, :4], self.classes[row[:, 4].astype(int)]) for row in true]
        precisions = average_precision(labelled, [*map(self.decode, outputs)], weights)
        return float(np.mean([*precisions.values()] or np.nan))


def as_boxes(item: Any, row: int, shape: Sequence[int] | None = None) -> Boxes:
    """Return boxes and labels of a row as users write them, checked.

    Parameters
    ----------
    item : mapping or pair
        ``{"boxes": ..., "labels": ...}`` or ``(boxes, labels)``.
    row : int
        For errors.
    shape : sequence of int, optional
        Height and width of the image, within which the boxes must be.
    """
    if isinstance(item, Mapping) and {"boxes", "labels"} <= item.keys():
        item = item["boxes"], item["labels"]
    if not (isinstance(item, tuple | list) and len(item) == 2):
        raise TargetError(
            f"row {row} of y: {reprlib.repr(item)} is neither a dict with 'boxes' and 'labels' nor "
            "a pair of them; a row without objects is ([], [])."
        )
    boxes, labels = _coordinates(item[0], row), _labels(item[1], row)
    if len(boxes) != len(labels):
        raise TargetError(f"row {row} of y: {len(labels)} labels for {len(boxes)} boxes.")
    is_wrong = ~np.isfinite(boxes).all(1) | (boxes[:, 2:] <= boxes[:, :2]).any(1)
    if is_wrong.any():
        raise TargetError(
            f"row {row} of y: {boxes[is_wrong][0].tolist()} is no box; its numbers are left, top, "
            "right and bottom in pixels, with left < right and top < bottom."
        )
    return Boxes(boxes if shape is None else _within(boxes, shape, row), labels)


def _coordinates(value: Any, row: int) -> np.ndarray:
    try:
        boxes = np.asarray(as_numpy(value))
    except ValueError:  # rows of different lengths
        boxes = np.array(None)
    if boxes.shape in ((0,), (0, 4)):
        return np.empty((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in "iuf":
        raise TargetError(
            f"row {row} of y: boxes must be numbers of shape (k, 4): left, top, right and bottom "
            f"of each; got {reprlib.repr(value)}."
        )
    return boxes.astype(np.float64)


def _labels(value: Any, row: int) -> np.ndarray:
    found = as_numpy(value)
    is_sequence = hasattr(found, "__len__") and not isinstance(found, str | bytes | Mapping)
    items = [np.asarray(label) for label in found] if is_sequence else [np.empty(0)]
    kinds = {item.dtype.kind for item in items}
    if any(item.ndim for item in items) or not (kinds <= {"U"} or kinds <= {"i", "u"}):
        raise TargetError(
            f"row {row} of y: labels must be a sequence of strings or of whole numbers, one per "
            f"box; got {reprlib.repr(value)}."
        )
    return np.array(items) if "U" in kinds else np.array(items, dtype=np.int64)


def _within(boxes: np.ndarray, shape: Sequence[int], row: int) -> np.ndarray:
    limits = np.tile(np.asarray(shape)[::-1], 2)
    is_outside = ((boxes < -_ROUNDING) | (boxes > limits + _ROUNDING)).any(1)
    if is_outside.any():
        raise TargetError(
            f"row {row} of y: the box {boxes[is_outside][0].tolist()} (left, top, right, bottom) "
            f"leaves its image, which is {limits[0]} pixels wide and {limits[1]} high."
        )
    return boxes.clip(0, limits)


def _centers(height: int, width: int, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return top (height, 1) and left (1, width) of the centers of places, in shares."""
    top = (torch.arange(height).to(like) + 0.5) / height
    left = (torch.arange(width).to(like) + 0.5) / width
    return top[:, None], left[None]


def _assigned(targets: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Return the number of the box that each place learns, (n, height, width), or -1.

    These are the places in the central part of a box, and always the one next to its center; of
    several boxes the smallest is learned.
    """
    height, width = size
    if not targets.shape[1]:
        return torch.full((len(targets), height, width), -1, device=targets.device)
    y, x = _centers(height, width, targets)
    boxes = targets[..., :4, None, None]
    left, top, right, bottom = boxes.unbind(2)
    near_x = (_CENTRAL * (right - left) / 2).clamp(min=0.5 / width)
    near_y = (_CENTRAL * (bottom - top) / 2).clamp(min=0.5 / height)
    is_in = (x - (left + right) / 2).abs() <= near_x
    is_in = is_in & ((y - (top + bottom) / 2).abs() <= near_y)
    is_in &= (targets[..., 4] != IGNORED)[..., None, None]
    areas = ((right - left) * (bottom - top)).where(is_in, torch.inf)
    least, box = areas.min(1)
    return box.where(least.isfinite(), -1)


def _decoded(distances: torch.Tensor) -> torch.Tensor:
    """Return the boxes (n, 4, height, width) of logarithms of distances from each place."""
    y, x = _centers(*distances.shape[2:], distances)  # type: ignore[call-arg]
    # Of an image the sides are 1 apart; a little more leaves the optimizer room.
    left, top, right, bottom = distances.clamp(max=1).exp().unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], 1)
