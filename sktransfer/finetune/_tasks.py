"""What is learned: from targets as users write them to tensors and losses, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score

from sktransfer.exceptions import TargetError
from sktransfer.finetune._loss import RowLoss, classes_loss, labels_loss, squared_loss
from sktransfer.finetune._targets import as_labels, as_matrix, as_numbers, short

# A class that no row has is as likely as one that this part of a row has.
_UNSEEN = 0.5


class Task(ABC):
    """One kind of target; what it learned of the targets of a fit are its attributes."""

    #: Outputs of the network a row.
    n_outputs: int
    #: What scikit-learn calls an estimator of such targets.
    kind: ClassVar[str] = "classifier"

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned as plain data: a ``kind``, arrays and numbers."""
        (kind,) = (name for name, task in _KINDS.items() if task is type(self))
        return {"kind": kind, **{f.name: getattr(self, f.name) for f in fields(self)}}  # type: ignore[arg-type]

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Task:
        """Make the task that `to_dict` has described."""
        kind, learned = data["kind"], {k: v for k, v in data.items() if k != "kind"}
        return _KINDS[kind](**learned)

    @abstractmethod
    def encode(self, y: Any) -> torch.Tensor:
        """Return targets as the loss takes them, one entry a row."""

    @abstractmethod
    def row_loss(self, label_smoothing: float) -> RowLoss:
        """Return the loss of each row."""

    @abstractmethod
    def shares(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probabilities that outputs (n, k) mean, or the outputs of no such thing."""

    @abstractmethod
    def chosen(self, shares: np.ndarray) -> np.ndarray:
        """Return what is predicted, as `encode` gives targets."""

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
    def of(cls, y: Any, name: str, *, warn: bool = True) -> Self:
        """Learn the classes from targets, or from a list of them, which is nothing to warn of."""
        classes = np.unique(as_labels(y, warn=warn))
        if len(classes) < 2:
            there = "is none" if not len(classes) else f"is only one class: {classes.tolist()[0]!r}"
            raise TargetError(f"{name} needs at least 2 classes in y; there {there}.")
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
                f"{short(self.classes)}. All of them must be named at first: in y of fit, or as "
                "classes of the first partial_fit."
            )
        return torch.from_numpy(numbers.astype(np.int64))

    def row_loss(self, label_smoothing: float) -> RowLoss:
        """Return the cross entropy."""
        return classes_loss(label_smoothing)

    def shares(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probability of each class; they sum to 1."""
        return outputs.softmax(1)

    def chosen(self, shares: np.ndarray) -> np.ndarray:
        """Return the number of the likeliest class (n,)."""
        return shares.argmax(axis=1)

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
        matrix = as_matrix(y)
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

    def shares(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probability of each label."""
        return outputs.sigmoid()

    def chosen(self, shares: np.ndarray) -> np.ndarray:
        """Return the matrix of labels that are likelier than not."""
        return (shares > 0.5).astype(np.int64)

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

    kind = "regressor"
    mean: np.ndarray
    deviation: np.ndarray
    is_vector: bool

    @classmethod
    def of(cls, y: Any, weights: np.ndarray) -> Self:
        """Learn the scale of the targets."""
        values = as_numbers(y)
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
        values = as_numbers(y)
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

    def shares(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs."""
        return outputs

    def chosen(self, shares: np.ndarray) -> np.ndarray:
        """Return the outputs, scaled as the targets are."""
        return shares

    def bias(self, encoded: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return zeros: targets were centred."""
        return torch.zeros(self.n_outputs, device=encoded.device)

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray) -> float:
        """Return R squared."""
        if len(encoded) < 2:
            return float("nan")
        return float(r2_score(encoded, outputs, sample_weight=weights))


# Names in states and saved files; the names of the classes may change, these do not.
_KINDS: dict[str, type[Any]] = {"classes": ClassTask, "labels": LabelTask, "values": ValueTask}
