"""A small network from features to the space in which views are compared."""

from __future__ import annotations

import torch
from torch import nn


class ProjectionHead(nn.Sequential):
    """Linear layer, batch norm, ReLU, linear layer.

    Parameters
    ----------
    n_features, n_hidden, n_outputs : int
        Widths.
    """

    def __init__(self, n_features: int, n_hidden: int, n_outputs: int) -> None:
        dtype = torch.float32  # whatever torch's default is
        super().__init__(
            nn.Linear(n_features, n_hidden, bias=False, dtype=dtype),
            nn.BatchNorm1d(n_hidden, dtype=dtype),
            nn.ReLU(inplace=True),
            nn.Linear(n_hidden, n_outputs, dtype=dtype),
        )
        self.n_features, self.n_outputs = n_features, n_outputs
