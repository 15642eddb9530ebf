"""A toy objective that follows CONTRIBUTING's recipe: two views of a row, without y."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional

from sktransfer.training.objectives import SelfSupervised


class TwoViews(SelfSupervised):
    """Pull the two views of a row together and away from other rows."""

    name: ClassVar[str] = "two views"
    views: ClassVar[int] = 2

    def loss(self, module, batch, targets, weights):
        one, other = (functional.normalize(module.features(view)) for view in batch.views)
        similarity = one @ other.T / 0.1
        return functional.cross_entropy(similarity, torch.arange(len(one))), similarity
