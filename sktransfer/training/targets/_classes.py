"""One of several classes per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.metrics import accuracy_score
from torch.nn import functional

from sktransfer.exceptions import TargetError
from sktransfer.training.targets._checks import as_labels, short
from sktransfer.training.targets._target import Target

# Added to the weight of each class, so that one without rows has a finite logarithm.
_PRIOR = 0.5


@dataclass(frozen=True)
class ClassTarget(Target):
    """One of several classes per row.

    Attributes
    ----------
    classes : ndarray of shape (k,)
        Sorted class labels.
    """

    kind: ClassVar[str] = "classes"
    stratifies: ClassVar[bool] = True

    classes: np.ndarray

    @classmethod
    def learn(cls, y: Any, name: str, *, warn: bool = True) -> Self:
        """Return the target of these labels; `name` is the estimator's, for messages."""
        classes = np.unique(as_labels(y, warn=warn))
        if len(classes) < 2:
            there = "is none" if not len(classes) else f"is only one class: {classes.tolist()[0]!r}"
            raise TargetError(f"{name} needs at least 2 classes in y; there {there}.")
        return cls(classes)

    @property
    def n_outputs(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def encode(self, y: Any, outlines: Any = None) -> torch.Tensor:
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

    def row_loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        """Return the cross entropy."""
        return functional.cross_entropy(
            outputs, targets, reduction="none", label_smoothing=label_smoothing
        )

    def to_proba(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probability of each class; they sum to 1."""
        return outputs.softmax(1)

    def to_labels(self, proba: np.ndarray) -> np.ndarray:
        """Return the number of the most probable class (n,)."""
        return proba.argmax(axis=1)

    def bias(self, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of each class's share."""
        shares = torch.bincount(targets, weights, minlength=self.n_outputs) + _PRIOR
        return (shares / shares.sum()).log().float()

    def score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
        """Return the accuracy."""
        return float(accuracy_score(targets, outputs.argmax(1), sample_weight=weights))
