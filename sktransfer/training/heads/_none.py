"""No head, for objectives on features."""

from __future__ import annotations

import torch
from torch import nn


class NoHead(nn.Module):
    """Returns the features as they are.

    Parameters
    ----------
    n_features : int
        d.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = self.n_outputs = n_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features."""
        return features
