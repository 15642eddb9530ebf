"""Two augmented views of each image, alike in each dimension of varying, uncorrelated ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from sktransfer.training.heads import ProjectionHead
from sktransfer.training.objectives._two_views import TwoViews

# Width of the projection, and the weights of the paper for invariance, variance and covariance.
_WIDTH = 1024
_INVARIANCE, _VARIANCE, _COVARIANCE = 25.0, 25.0, 1.0


@dataclass(frozen=True)
class VICReg(TwoViews):
    """Variance, invariance and covariance of projected features; rows are not compared.

    References
    ----------
    Bardes et al., VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
    Learning, 2022, https://arxiv.org/abs/2105.04906
    """

    name: ClassVar[str] = "vicreg"

    def head(self, backbone: Any, recipe: Any) -> nn.Module:
        """Return an expander to 1,024 dimensions."""
        return ProjectionHead(backbone.width(recipe=recipe), _WIDTH, _WIDTH)

    def compare(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the loss of two views (n, d)."""
        return vicreg_loss(one, other)


def vicreg_loss(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the loss of two views (n, d) of n rows."""
    invariance = functional.mse_loss(one, other)
    views = (one - one.mean(0), other - other.mean(0))
    deviations = [(view.var(0) + 1e-4).sqrt() for view in views]
    variance = sum(functional.relu(1 - deviation).mean() for deviation in deviations) / 2
    covariance = sum(_off_diagonal(view).square().sum() / view.shape[1] for view in views)
    return _INVARIANCE * invariance + _VARIANCE * variance + _COVARIANCE * covariance


def _off_diagonal(view: torch.Tensor) -> torch.Tensor:
    covariance = view.T @ view / max(1, len(view) - 1)
    return covariance - covariance.diag().diag()
