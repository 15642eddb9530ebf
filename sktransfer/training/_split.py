"""The rows of a column that a fit trains on or validates on, with targets and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.training._column_data import ColumnData

if TYPE_CHECKING:
    import torch

    from sktransfer.training.targets import Target


@dataclass(frozen=True)
class Split:
    """The rows of a column to train on, or those to validate on.

    Attributes
    ----------
    data : ColumnData
        The column.
    rows : ndarray of int
        Positions in it.
    target : Target or None
        What y is; None where there is no y.
    targets : Tensor, sequence or None
        Encoded targets, one entry per row of the column.
    weights : Tensor
        One weight per row of the column, with mean 1.
    """

    data: ColumnData
    rows: np.ndarray
    target: Target | None
    targets: Any
    weights: torch.Tensor

    def targets_of(self, rows: Sequence[int]) -> Any:
        """Return the targets of some rows as one tensor; None where there is no y."""
        if self.target is None:
            return None
        return self.target.batch(self.targets, rows)
