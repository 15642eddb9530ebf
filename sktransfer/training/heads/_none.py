"""No head, for objectives on features."""

from __future__ import annotations

from torch import nn


class NoHead(nn.Identity):
    """Returns the features as they are.

    Parameters
    ----------
    n_features : int
        d.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = self.n_outputs = n_features
