"""One or several numbers per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.metrics import r2_score

from sktransfer.exceptions import TargetError
from sktransfer.training.targets._checks import as_numbers
from sktransfer.training.targets._target import Target


@dataclass(frozen=True)
class ValueTarget(Target):
    """Numbers, learned at mean 0 and standard deviation 1.

    Attributes
    ----------
    mean, deviation : ndarray of shape (k,)
        Of the targets.
    is_vector : bool
        Whether y has one number per row and no second axis.
    """

    kind: ClassVar[str] = "values"
    estimator_type: ClassVar[str] = "regressor"

    mean: np.ndarray
    deviation: np.ndarray
    is_vector: bool

    @classmethod
    def learn(cls, y: Any, weights: np.ndarray) -> Self:
        """Return the target of these numbers, with their scale."""
        values = as_numbers(y)
        columns = values.reshape(len(values), -1)
        mean = np.average(columns, axis=0, weights=weights)
        deviation = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weights))
        return cls(mean, np.where(deviation > 0, deviation, 1.0), values.ndim == 1)

    @property
    def n_outputs(self) -> int:
        """Number of values per row."""
        return len(self.mean)

    @property
    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Standard deviation and mean of the targets."""
        return self.deviation, self.mean

    def encode(self, y: Any, outlines: Any = None) -> torch.Tensor:
        """Return scaled targets, float32 (n, k)."""
        values = as_numbers(y)
        columns = values.reshape(len(values), -1)
        if columns.shape[1] != len(self.mean):
            raise TargetError(f"y has {columns.shape[1]} targets per row, not {len(self.mean)}.")
        return torch.from_numpy(((columns - self.mean) / self.deviation).astype(np.float32))

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return predictions in the units of y, float64."""
        values = outputs.astype(np.float64) * self.deviation + self.mean
        return values[:, 0] if self.is_vector else values

    def row_loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        """Return the mean squared error, in squared deviations of y."""
        return (outputs - targets).square().mean(1)

    def bias(self, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return zeros: targets are centred."""
        return torch.zeros(self.n_outputs, device=targets.device)

    def score(self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
        """Return R squared."""
        if len(targets) < 2:
            return float("nan")
        return float(r2_score(targets, outputs, sample_weight=weights))
