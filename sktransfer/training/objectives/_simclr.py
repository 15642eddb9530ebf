"""Two augmented views of each image, told from those of other images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from sktransfer.training.heads import ProjectionHead
from sktransfer.training.objectives._two_views import TwoViews

# Width of the projection that views are compared in.
_WIDTH = 128


@dataclass(frozen=True)
class SimCLR(TwoViews):
    """NT-Xent loss of projected features of two views.

    Parameters
    ----------
    temperature : float
        Divides cosine similarities.

    References
    ----------
    Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, 2020,
    https://arxiv.org/abs/2002.05709
    """

    name: ClassVar[str] = "simclr"

    temperature: float = 0.1

    def head(self, backbone: Any, recipe: Any) -> nn.Module:
        """Return a projection to 128 dimensions."""
        n_features = backbone.width(recipe=recipe)
        return ProjectionHead(n_features, min(n_features, 512), _WIDTH)

    def compare(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the loss of two views (n, d)."""
        return nt_xent(one, other, self.temperature)


def nt_xent(one: torch.Tensor, other: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the normalized, temperature-scaled cross entropy of two views (n, d) of n rows.

    Each of the 2 n views is to find the other view of its row among the 2 n - 1 others.
    """
    views = functional.normalize(torch.cat([one, other]), dim=1)
    similarity = views @ views.T / temperature
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    partner = torch.arange(len(views), device=views.device).roll(len(one))
    return functional.cross_entropy(similarity.masked_fill(itself, -torch.inf), partner)
