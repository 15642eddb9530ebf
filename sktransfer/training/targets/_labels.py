"""Any number of labels per row, each present or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.metrics import accuracy_score
from torch.nn import functional

from sktransfer.exceptions import TargetError
from sktransfer.training.targets._checks import as_matrix
from sktransfer.training.targets._target import Target

# Added to the weight of each label, so that one without rows has a finite logarithm.
_PRIOR = 0.5


@dataclass(frozen=True)
class LabelTarget(Target):
    """Any number of labels per row: a matrix of zeros and ones.

    Attributes
    ----------
    classes : ndarray of int, shape (k,)
        Numbers of the columns.
    """

    kind: ClassVar[str] = "labels"

    classes: np.ndarray

    @classmethod
    def learn(cls, y: Any) -> Self:
        """Return the target of this matrix."""
        return cls(np.arange(np.shape(y)[1]))

    @property
    def n_outputs(self) -> int:
        """Number of labels."""
        return len(self.classes)

    def encode(self, y: Any, outlines: Any = None) -> torch.Tensor:
        """Return the matrix, float32 (n, k)."""
        matrix = as_matrix(y)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.classes):
            raise TargetError(
                f"y has shape {matrix.shape}; a matrix of zeros and ones with "
                f"{len(self.classes)} columns was expected."
            )
        # scikit-learn calls a matrix of any two numbers an indicator.
        wrong = np.flatnonzero(((matrix != 0) & (matrix != 1)).any(axis=1))
        if len(wrong):
            raise TargetError(
                f"row {wrong[0]} of y: {matrix[wrong[0]].tolist()} has other values than 0 (the "
                "label is not there) and 1 (it is)."
            )
        return torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float32))

    def row_loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        """Return the mean binary cross entropy."""
        smooth = targets * (1 - label_smoothing) + label_smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(outputs, smooth, reduction="none")
        return losses.mean(1)

    def to_proba(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probability of each label."""
        return outputs.sigmoid()

    def to_labels(self, proba: np.ndarray) -> np.ndarray:
        """Return the matrix of labels with a probability above one half."""
        return (proba > 0.5).astype(np.int64)

    def bias(self, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of each label."""
        present = weights @ targets + _PRIOR
        return (present / (weights.sum() - present + 2 * _PRIOR)).log()

    def score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
        """Return the share of rows with every label right."""
        return float(accuracy_score(targets > 0, outputs > 0, sample_weight=weights))
