"""The class of each pixel of an image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch.nn import functional

from sktransfer.exceptions import BadCellError, TargetError
from sktransfer.modalities import IGNORED
from sktransfer.modalities.image import read_mask
from sktransfer.training.targets._checks import short
from sktransfer.training.targets._target import Target

# More are levels of grey rather than classes.
_MOST_CLASSES = 255
# Weights of rare classes are at most this many times those of the most frequent one.
_LARGEST_RATIO = 30.0


@dataclass(frozen=True)
class MaskTarget(Target):
    """Masks of class numbers.

    Attributes
    ----------
    classes : ndarray of shape (k,)
        Sorted class numbers, bool or int.
    class_weights : ndarray of shape (k,)
        Weight of the pixels of each class in the loss, with mean 1 over all pixels.
    size : tuple of int
        Height and width, in pixels, of what the network sees.
    ignore_label : int or None
        Number of pixels that are not learned.
    """

    kind: ClassVar[str] = "masks"
    level: ClassVar = "place"

    classes: np.ndarray
    class_weights: np.ndarray
    size: tuple[int, int]
    ignore_label: int | None

    @classmethod
    def learn(
        cls,
        y: Any,
        used: Iterable[bool],
        *,
        size: tuple[int, int],
        ignore_label: int | None,
        class_weight: Any,
    ) -> Self:
        """Return the target of these masks.

        Parameters
        ----------
        y : column of masks
            As `read_mask` reads them.
        used : iterable of bool
            Whether each is learned from.
        size, ignore_label
            See the class.
        class_weight : {"sqrt", "balanced"}, dict or None
            As the parameter of `ImageSegmenter`.
        """
        shares: dict[Any, float] = {}
        for row, (cell, learns) in enumerate(zip(y, used, strict=True)):
            if learns:
                mask = _read(cell, row)
                for value, count in zip(*np.unique(mask, return_counts=True), strict=True):
                    shares[value.item()] = shares.get(value.item(), 0.0) + count / mask.size
        shares.pop(ignore_label, None)
        if len(shares) < 2:
            _refuse_classes(shares, ignore_label)
        if len(shares) > _MOST_CLASSES:
            raise TargetError(
                f"the masks hold {len(shares)} different values; a mask has one number per class. "
                "These may be levels of grey, or numbers of single objects."
            )
        classes = np.array(sorted(shares))
        found = np.array([shares[value] for value in classes.tolist()])
        weights = _weights(classes, found / found.sum(), class_weight)
        return cls(classes, weights, size, ignore_label)

    @property
    def n_outputs(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def encode(self, y: Any, outlines: Sequence[Any] | None = None) -> torch.Tensor:
        """Return the number of each pixel's class, int16 (n, height, width), in `size`."""
        shapes = outlines or []
        found = torch.full((len(shapes), *self.size), IGNORED, dtype=torch.int16)
        for row, numbers in enumerate(self.numbered(y, shapes)):
            if numbers is not None:
                found[row] = torch.from_numpy(_resized(numbers, self.size))
        return found

    def numbered(self, y: Any, shapes: Sequence[Any]) -> Iterator[np.ndarray | None]:
        """Yield the number of each pixel's class of each row, int16; None without a shape."""
        for row, (cell, shape) in enumerate(zip(y, shapes, strict=True)):
            if shape is None:
                yield None
                continue
            mask = _read(cell, row)
            if mask.shape != tuple(shape):
                raise TargetError(
                    f"row {row} of y: a mask of {mask.shape} pixels (height, width) for an image "
                    f"of {tuple(shape)}. Image and mask must have the same size."
                )
            yield self._numbers(mask, row)

    def _numbers(self, mask: np.ndarray, row: int) -> np.ndarray:
        numbers = np.searchsorted(self.classes, mask).clip(max=len(self.classes) - 1)
        unknown = self.classes[numbers] != mask
        if self.ignore_label is not None:
            ignored = mask == self.ignore_label
            numbers[ignored], unknown = IGNORED, unknown & ~ignored
        if unknown.any():
            raise TargetError(
                f"row {row} of y: {mask[unknown][0]} is none of the classes {short(self.classes)}. "
                f"Pixels that are not to be learned have ignore_label={self.ignore_label}."
            )
        return numbers.astype(np.int16)

    def batch(self, targets: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        """Return the targets of some rows, int64."""
        return targets[list(rows)].long()

    def row_loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        """Return the mean over the pixels of each row of the weighted cross entropy."""
        weights = torch.from_numpy(self.class_weights).to(outputs)
        losses = functional.cross_entropy(
            outputs,
            targets,
            weights,
            reduction="none",
            ignore_index=IGNORED,
            label_smoothing=label_smoothing,
        )
        known = (targets != IGNORED).flatten(1).sum(1)
        return losses.flatten(1).sum(1) / known.clamp(min=1)

    def to_proba(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probability of each class (n, k, height, width)."""
        return outputs.softmax(1)

    def bias(self, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of each class's weighted share of the pixels."""
        shares = torch.ones(self.n_outputs, dtype=torch.float64)
        for mask, weight in zip(targets.cpu(), weights.tolist(), strict=True):
            numbers = mask[mask != IGNORED].long()
            shares += weight * torch.bincount(numbers, minlength=self.n_outputs)
        shares *= torch.from_numpy(self.class_weights)
        return (shares / shares.sum()).log().float()

    def score(self, outputs: Any, targets: Any, weights: np.ndarray) -> float:
        """Return the mean IoU of classes, given the best class of each pixel."""
        rows = zip(targets, outputs, weights, strict=True)
        counts = sum(w * confusion(true, found, self.n_outputs) for true, found, w in rows)
        return float(np.nanmean(ious(np.asarray(counts))))


def report_of(counts: np.ndarray, classes: list[Any]) -> dict[Any, dict[str, float]]:
    """Return measures of each class from how many of its pixels have each predicted class."""
    both, true, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    with np.errstate(invalid="ignore"):  # NaN for a class that is nowhere
        measures = {
            "iou": both / (true + predicted - both),
            "dice": 2 * both / (true + predicted),
            "precision": both / predicted,
            "recall": both / true,
            "support": true / counts.sum(),
        }
    return {
        label: {name: float(values[number]) for name, values in measures.items()}
        for number, label in enumerate(classes)
    }


def as_column_of_masks(y: Any, n: int) -> list[Any]:
    """Return the masks of n rows as a list.

    Raises
    ------
    TargetError
        If there are more or fewer.
    """
    if isinstance(y, str | bytes | dict) or not hasattr(y, "__len__"):
        raise TargetError(f"y must be a column of masks, not a {type(y).__name__}.")
    if len(y) != n:
        raise TargetError(f"y has {len(y)} masks for {n} images.")
    return [*y]


def confusion(true: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Return how many pixels of each class (row) have each predicted class (column)."""
    known = true != IGNORED
    pairs = true[known].astype(np.int64) * k + predicted[known].astype(np.int64)
    return np.bincount(pairs, minlength=k * k).reshape(k, k)


def ious(counts: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each class; NaN where it is nowhere."""
    both = np.diag(counts).astype(float)
    union = counts.sum(0) + counts.sum(1) - both
    return np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)


def _read(cell: Any, row: int) -> np.ndarray:
    try:
        return read_mask(cell)
    except BadCellError as error:
        raise TargetError(f"row {row} of y: {error}") from error


def _refuse_classes(shares: dict[Any, float], ignore_label: int | None) -> None:
    there = f"there is only one: {next(iter(shares))}" if shares else "there is none"
    beside = "" if ignore_label is None else f", beside ignore_label={ignore_label}"
    raise TargetError(
        f"masks must have at least 2 classes; {there}{beside}."
        + (" If that is a class too, set ignore_label=None." if beside else "")
    )


def _weights(classes: np.ndarray, shares: np.ndarray, class_weight: Any) -> np.ndarray:
    """Return the weight of each class, with mean 1 over all pixels."""
    if class_weight is None:
        found = np.ones(len(classes))
    elif isinstance(class_weight, dict):
        found = _given(classes, class_weight)
    else:
        found = shares ** (-0.5 if class_weight == "sqrt" else -1.0)
        found = found.clip(max=_LARGEST_RATIO * found.min())
    return found / (found * shares).sum()


def _given(classes: np.ndarray, class_weight: dict[Any, float]) -> np.ndarray:
    unknown = class_weight.keys() - set(classes.tolist())
    found = np.array([float(class_weight.get(value, 1.0)) for value in classes.tolist()])
    if unknown or not np.isfinite(found).all() or found.min() < 0 or found.max() == 0:
        raise TargetError(
            f"class_weight={class_weight!r} must have a number of at least 0 for each of the "
            f"classes {short(classes)}, or 1 is taken."
        )
    return found


def _resized(numbers: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the nearest pixel for each of another height and width, as Pillow takes it."""
    places = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, numbers.shape, strict=True)
    )
    return numbers[np.ix_(*places)]
