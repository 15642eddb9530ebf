"""What is learned: from targets as users write them to tensors and losses, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from sktransfer.cells import is_missing
from sktransfer.exceptions import TargetError
from sktransfer.finetune._loss import RowLoss, classes_loss, labels_loss, squared_loss

# A class that no row has is as likely as one that this part of a row has.
_UNSEEN = 0.5


class Task(ABC):
    """One kind of target; what it learned of the targets of a fit are its attributes."""

    #: Outputs of the network a row.
    n_outputs: int

    @abstractmethod
    def encode(self, y: Any) -> torch.Tensor:
        """Return targets as the loss takes them, one entry a row."""

    @abstractmethod
    def row_loss(self, label_smoothing: float) -> RowLoss:
        """Return the loss of each row."""

    @abstractmethod
    def bias(self, encoded: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the outputs (k,) that fit best where nothing is known of a row."""

    @abstractmethod
    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray) -> float:
        """Return how good outputs are: the higher the better."""


@dataclass(frozen=True)
class ClassTask(Task):
    """One of several classes.

    Attributes
    ----------
    classes : ndarray of shape (k,)
        Sorted.
    """

    classes: np.ndarray

    @classmethod
    def of(cls, y: Any, name: str) -> Self:
        """Learn the classes from targets, or from a list of them."""
        classes = np.unique(as_labels(y, warn=True))
        if len(classes) < 2:
            raise TargetError(
                f"{name} needs at least 2 classes in y; there is only one class: "
                f"{classes.tolist()[0]!r}."
            )
        return cls(classes)

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        """As many as there are classes."""
        return len(self.classes)

    def encode(self, y: Any) -> torch.Tensor:
        """Return the number of each row's class, int64 (n,)."""
        labels = as_labels(y)
        numbers = np.searchsorted(self.classes, labels)
        numbers[numbers == len(self.classes)] = 0
        unknown = np.flatnonzero(self.classes[numbers] != labels)
        if len(unknown):
            raise TargetError(
                f"row {unknown[0]} of y: {labels.tolist()[unknown[0]]!r} is none of the classes "
                f"{self.classes.tolist()}. All of them must be named at first: in y of fit, or as "
                "classes of the first partial_fit."
            )
        return torch.from_numpy(numbers.astype(np.int64))

    def row_loss(self, label_smoothing: float) -> RowLoss:
        """Return the cross entropy."""
        return classes_loss(label_smoothing)

    def bias(self, encoded: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of each class's share."""
        shares = torch.bincount(encoded, weights, minlength=self.n_outputs) + _UNSEEN
        return (shares / shares.sum()).log().float()

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray) -> float:
        """Return the accuracy."""
        return float(accuracy_score(encoded, outputs.argmax(1), sample_weight=weights))


@dataclass(frozen=True)
class LabelTask(Task):
    """Any number of labels, each there or not: a matrix of zeros and ones.

    Attributes
    ----------
    classes : ndarray of int, shape (k,)
        Numbers of the columns.
    """

    classes: np.ndarray

    @classmethod
    def of(cls, y: Any) -> Self:
        """Learn the number of labels."""
        return cls(np.arange(np.shape(y)[1]))

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        """As many as there are labels."""
        return len(self.classes)

    def encode(self, y: Any) -> torch.Tensor:
        """Return the matrix, float32 (n, k)."""
        matrix = _dense(y)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.classes):
            raise TargetError(
                f"y has shape {matrix.shape}; a matrix of zeros and ones with "
                f"{len(self.classes)} columns was expected."
            )
        # scikit-learn also calls a matrix of any other two numbers an indicator.
        wrong = np.flatnonzero(((matrix != 0) & (matrix != 1)).any(axis=1))
        if len(wrong):
            raise TargetError(
                f"row {wrong[0]} of y: {matrix[wrong[0]].tolist()} has other values than 0 (the "
                "label is not there) and 1 (it is)."
            )
        return torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float32))

    def row_loss(self, label_smoothing: float) -> RowLoss:
        """Return the mean binary cross entropy."""
        return labels_loss(label_smoothing)

    def bias(self, encoded: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of each label."""
        there = weights @ encoded + _UNSEEN
        return (there / (weights.sum() - there + 2 * _UNSEEN)).log()

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray) -> float:
        """Return the share of rows with every label right."""
        return float(accuracy_score(encoded > 0, outputs > 0, sample_weight=weights))


@dataclass(frozen=True)
class ValueTask(Task):
    """Numbers, learned at mean 0 and deviation 1.

    Attributes
    ----------
    mean, deviation : ndarray of shape (k,)
        Of the targets.
    is_vector : bool
        Whether targets are one number a row.
    """

    mean: np.ndarray
    deviation: np.ndarray
    is_vector: bool

    @classmethod
    def of(cls, y: Any, weights: np.ndarray) -> Self:
        """Learn the scale of the targets."""
        values = _numbers(y)
        columns = values.reshape(len(values), -1)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.average(columns, axis=0, weights=weights)
            deviation = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weights))
        if not np.isfinite(deviation).all():
            raise TargetError(
                f"The targets are too large for their spread to be a number: up to "
                f"{np.abs(columns).max():g}. Divide them by their size."
            )
        return cls(mean, np.where(deviation > 0, deviation, 1.0), values.ndim == 1)

    @property
    def n_outputs(self) -> int:  # type: ignore[override]
        """As many as there are targets."""
        return len(self.mean)

    def encode(self, y: Any) -> torch.Tensor:
        """Return scaled targets, float32 (n, k)."""
        values = _numbers(y)
        columns = values.reshape(len(values), -1)
        if columns.shape[1] != len(self.mean):
            raise TargetError(f"y has {columns.shape[1]} targets a row, not {len(self.mean)}.")
        return torch.from_numpy(((columns - self.mean) / self.deviation).astype(np.float32))

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return predictions in the units of the targets, float64."""
        values = outputs.astype(np.float64) * self.deviation + self.mean
        return values[:, 0] if self.is_vector else values

    def row_loss(self, label_smoothing: float) -> RowLoss:
        """Return the squared error, in squared deviations of the targets."""
        return squared_loss

    def bias(self, encoded: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return zeros: targets were centred."""
        return torch.zeros(self.n_outputs, device=encoded.device)

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray) -> float:
        """Return R squared."""
        if len(encoded) < 2:
            return float("nan")
        return float(r2_score(encoded, outputs, sample_weight=weights))


def as_labels(y: Any, *, warn: bool = False) -> np.ndarray:
    """Return class labels as a vector; on demand, warn of a column."""
    _refuse_missing(y, "is no class.")
    labels = column_or_1d(y, warn=warn)
    _refuse_mixed(labels)
    check_classification_targets(labels)
    return labels


def _refuse_mixed(labels: np.ndarray) -> None:
    try:
        np.unique(labels)
    except TypeError as error:
        kinds = " and ".join(sorted({type(label).__name__ for label in labels}))
        raise TargetError(
            f"y has classes of type {kinds}, which have no common order: convert them to one type."
        ) from error


def is_labels(y: Any) -> bool:
    """Tell a matrix of zeros and ones from a vector of classes."""
    _refuse_missing(y, "is no class.")
    return _dense(y).ndim > 1 and type_of_target(y, input_name="y") == "multilabel-indicator"


def _dense(y: Any) -> np.ndarray:
    return np.asarray(y.toarray() if hasattr(y, "toarray") else y)


def _numbers(y: Any) -> np.ndarray:
    _refuse_missing(y, "is no number. Input y contains NaN.")
    return check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")


def _refuse_missing(y: Any, told: str) -> None:
    values = np.asarray(y, dtype=object)
    if values.ndim not in (1, 2) or not values.size:  # that is told elsewhere
        return
    for row, cells in enumerate(values.reshape(len(values), -1)):
        for cell in cells:
            if not isinstance(cell, str) and is_missing(cell):  # "" may be a class
                raise TargetError(f"row {row} of y: {cell!r} {told}")
