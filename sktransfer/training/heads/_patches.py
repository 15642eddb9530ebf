"""Pixels of a patch."""

from __future__ import annotations

import torch
from torch import nn


class PatchHead(nn.Linear):
    """A linear layer from the features of a patch to its pixels.

    Parameters
    ----------
    n_features : int
        Length of the features of a row, which it does not read.
    width : int
        Length of the features of a patch.
    n_pixels : int
        Number of values of a patch.
    """

    def __init__(self, n_features: int, width: int, n_pixels: int) -> None:
        super().__init__(width, n_pixels, dtype=torch.float32)  # whatever torch's default is
        self.n_features, self.n_outputs = n_features, n_pixels
