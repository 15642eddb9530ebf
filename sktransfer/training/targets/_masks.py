"""The class of each pixel of an image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch.nn import functional

from sktransfer._warnings import warn
from sktransfer.columns import CellType, as_column
from sktransfer.exceptions import BadCellError, ColumnError, TargetError, TileWarning
from sktransfer.modalities import IGNORED
from sktransfer.modalities.image import read_mask
from sktransfer.training.targets._checks import short
from sktransfer.training.targets._target import Target

# More are levels of grey rather than classes.
_MOST_CLASSES = 255
# Weights of rare classes are at most this many times those of the most frequent one.
_LARGEST_RATIO = 30.0
# Lowest share of the pixels in the bias of a class.
_LOWEST_SHARE = 1e-6
# Number of a value that is neither a class nor ignored.
_UNKNOWN = -1
_TURNED = " Photographs are turned as their EXIF data says; turn their masks too."


@dataclass(frozen=True)
class MaskTarget(Target):
    """Masks of class numbers.

    Attributes
    ----------
    classes : ndarray of shape (k,)
        Sorted class numbers, bool or int.
    shares : ndarray of shape (k,)
        Share of the pixels of each class.
    class_weights : ndarray of shape (k,)
        Weight of the pixels of each class in the loss, with mean 1 over all pixels.
    size : tuple of int
        Height and width, in pixels, of what the network sees.
    ignore_label : int or None
        Number of pixels that are not learned.
    max_pixels : int or None
        Most pixels of a mask that is decoded.
    """

    kind: ClassVar[str] = "masks"
    level: ClassVar = "place"

    classes: np.ndarray
    shares: np.ndarray
    class_weights: np.ndarray
    size: tuple[int, int]
    ignore_label: int | None
    max_pixels: int | None

    @classmethod
    def learn(
        cls,
        y: Any,
        used: Iterable[bool],
        *,
        size: tuple[int, int],
        ignore_label: int | None,
        class_weight: Any,
        max_pixels: int | None = None,
        tile_size: int | None = None,
    ) -> Self:
        """Return the target of these masks.

        Parameters
        ----------
        y : column of masks
            As `read_mask` reads them.
        used : iterable of bool
            Whether each is learned from.
        size, ignore_label, max_pixels
            See the class.
        class_weight : {"sqrt", "balanced"}, dict or None
            As the parameter of `ImageSegmenter`.
        tile_size : int, optional
            Side of the tiles in which larger images are predicted; a warning counts such masks.
        """
        shares: dict[Any, float] = {}
        sides = []
        for row, (cell, learns) in enumerate(zip(as_column_of_masks(y), used, strict=True)):
            if learns:
                mask = _read(cell, row, max_pixels)
                sides.append(max(mask.shape))
                for value, count in zip(*_counted(mask), strict=True):
                    shares[value.item()] = shares.get(value.item(), 0.0) + count / mask.size
        ignored = shares.pop(ignore_label, None)
        if len(shares) < 2:
            _refuse_classes(shares, ignore_label if ignored else None)
        if len(shares) > _MOST_CLASSES:
            raise TargetError(
                f"the masks hold {len(shares)} different values; a mask has one number per class. "
                "These may be levels of grey, or numbers of single objects."
            )
        classes = np.array(sorted(shares))
        found = np.array([shares[value] for value in classes.tolist()])
        found /= found.sum()
        weights = _weights(classes, found, class_weight)
        if tile_size is not None:
            _warn_of_larger(sides, tile_size)
        return cls(classes, found, weights, size, ignore_label, max_pixels)

    def changed(self, *, class_weight: Any, **settings: Any) -> Self:
        """Return the target of the same classes with other arguments of `learn`."""
        weights = _weights(self.classes, self.shares, class_weight)
        return replace(self, class_weights=weights, **settings)

    @property
    def n_outputs(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def encode(self, y: Any, outlines: Sequence[Any] | None = None) -> torch.Tensor:
        """Return the number of each pixel's class, int16 (n, height, width), in `size`."""
        shapes = outlines or []
        masks = as_column_of_masks(y, len(shapes))
        found = torch.full((len(shapes), *self.size), IGNORED, dtype=torch.int16)
        for row, (cell, shape) in enumerate(zip(masks, shapes, strict=True)):
            if shape is not None:
                numbers = self.numbered(cell, row, shape)
                found[row] = torch.from_numpy(_resized(numbers, self.size))
        if (found == IGNORED).all():
            raise self.nothing_known()
        return found

    def nothing_known(self) -> TargetError:
        """Return the error that no pixel of any mask has a class."""
        return TargetError(
            "no pixel of a usable image has a class; those with "
            f"ignore_label={self.ignore_label} have none."
        )

    def numbered(self, cell: Any, row: int, shape: Sequence[int]) -> np.ndarray:
        """Return the number of each pixel's class in the mask of an image of this shape, int16."""
        mask = _read(cell, row, self.max_pixels)
        if mask.shape != tuple(shape):
            raise TargetError(
                f"row {row} of y: a mask of {mask.shape} pixels (height, width) for an image "
                f"of {tuple(shape)}. Image and mask must have the same size."
                + (_TURNED if mask.shape == tuple(shape)[::-1] else "")
            )
        return self._numbers(mask, row)

    def _numbers(self, mask: np.ndarray, row: int) -> np.ndarray:
        is_small = mask.dtype in (bool, np.uint8)
        numbers = self._table()[mask.view(np.uint8)] if is_small else self._searched(mask)
        unknown = numbers == _UNKNOWN
        if unknown.any():
            raise TargetError(
                f"row {row} of y: {mask[unknown][0]} is none of the classes {short(self.classes)}. "
                f"Pixels that are not to be learned have ignore_label={self.ignore_label}."
            )
        return numbers

    def _table(self) -> np.ndarray:
        """Return the number of the class of each value of one byte: faster than a search."""
        return self._searched(np.arange(256, dtype=np.uint8))

    def _searched(self, values: np.ndarray) -> np.ndarray:
        """Return the number of the class of each value, int16."""
        numbers = np.searchsorted(self.classes, values).clip(max=len(self.classes) - 1)
        found = np.where(self.classes[numbers] == values, numbers, _UNKNOWN).astype(np.int16)
        if self.ignore_label is not None:
            found[values == self.ignore_label] = IGNORED
        return found

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
        """Return the probability of each class (n, k, height, width), in `size`."""
        if outputs.ndim != 4:  # classes: all that validation keeps
            raise TargetError(
                "scores of scikit-learn are of one class per row, not of one per pixel; "
                "`valid_score` in `history_` is the mean IoU."
            )
        scores = functional.interpolate(outputs, self.size, mode="bilinear", align_corners=False)
        return scores.softmax(1)

    def bias(self, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of each class's weighted share of the pixels."""
        shares = torch.ones(self.n_outputs, dtype=torch.float64)
        for mask, weight in zip(targets.cpu(), weights.tolist(), strict=True):
            numbers = mask[mask != IGNORED].long()
            shares += weight * torch.bincount(numbers, minlength=self.n_outputs)
        shares *= torch.from_numpy(self.class_weights)
        return (shares / shares.sum()).clamp(min=_LOWEST_SHARE).log().float()

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


class _Masks(CellType):
    noun: ClassVar[str] = "mask"

    def cells_of_array(self, X: np.ndarray) -> tuple[Any, int] | None:
        return ([*X], 1) if X.ndim > 1 else None


def as_column_of_masks(y: Any, n: int | None = None) -> Sequence[Any]:
    """Return the masks of n rows, from any container.

    Raises
    ------
    TargetError
        If it is no column of masks, or there are more or fewer.
    """
    if isinstance(y, np.ma.MaskedArray):  # each row says what is wrong with it
        y = [*y]
    try:
        masks = as_column(y, _Masks()).cells
    except ColumnError as error:
        raise TargetError(f"y is no column of masks: {error}") from error
    if n is not None and len(masks) != n:
        raise TargetError(f"y has {len(masks)} masks for {n} images.")
    return masks


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


def _read(cell: Any, row: int, max_pixels: int | None) -> np.ndarray:
    try:
        mask = read_mask(cell, max_pixels)
    except BadCellError as error:
        raise TargetError(f"row {row} of y: {error}") from error
    if mask.dtype == bool or mask.min() < 0 or mask.max() > 255:
        return mask
    return mask.astype(np.uint8, copy=False)


def _counted(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values in a mask, and how many pixels have each."""
    if mask.dtype not in (bool, np.uint8):
        return np.unique(mask, return_counts=True)
    counts = np.bincount(mask.view(np.uint8).ravel())
    values = np.flatnonzero(counts)
    return values.astype(mask.dtype), counts[values]


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
    values = [class_weight.get(value, 1.0) for value in classes.tolist()]
    are_numbers = all(isinstance(value, Real) for value in values)
    found = np.array(values if are_numbers else [-1.0], dtype=float)
    is_known = class_weight.keys() <= set(classes.tolist())
    if not is_known or not np.isfinite(found).all() or found.min() < 0 or found.max() == 0:
        raise TargetError(
            f"class_weight={class_weight!r} must map classes, of {short(classes)}, to numbers of "
            "at least 0, not all of them 0; classes that are not in it have 1."
        )
    return found


def _resized(numbers: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the nearest pixel for each of another height and width, as Pillow takes it."""
    places = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, numbers.shape, strict=True)
    )
    return numbers[np.ix_(*places)]


def _warn_of_larger(sides: Sequence[int], tile_size: int) -> None:
    larger = sum(side > tile_size for side in sides)
    if larger:
        warn(
            f"{larger} of {len(sides)} training images are larger than tile_size={tile_size}. They "
            "are learned as wholes, resized to image_size, but predicted in tiles, where objects "
            "have another size: cut these images and their masks into tiles before fit.",
            TileWarning,
        )
