"""Losses of rows, one number each, and their weighted mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

#: From outputs (n, k) and targets to losses (n,).
RowLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
#: From outputs (n, k), targets and weights (n,) to one number.
BatchLoss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def classes_loss(label_smoothing: float) -> RowLoss:
    """Return the cross entropy to class numbers (n,)."""

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(
            outputs, targets, reduction="none", label_smoothing=label_smoothing
        )

    return loss


def labels_loss(label_smoothing: float) -> RowLoss:
    """Return the mean binary cross entropy to an indicator matrix (n, k)."""

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        smooth = targets * (1 - label_smoothing) + label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs, smooth, reduction="none").mean(
            1
        )

    return loss


def squared_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error to targets (n, k)."""
    return (outputs - targets).square().mean(1)


def weighted_mean(row_loss: RowLoss) -> BatchLoss:
    """Return the mean of losses (n,) times weights (n,).

    The weights have mean 1 over the whole training set, not over a batch: dividing by the sum
    of a batch would undo the weight of a class that is alone in it.
    """

    def loss(outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return (row_loss(outputs, targets) * weights).mean()

    return loss


# How sharply similarities are told apart: a cosine is divided by it.
_TEMPERATURE = 0.1


def contrastive_loss(
    features: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the supervised contrastive loss of a batch.

    Features (n, d) of rows with the same class number (n,) are pulled together, others apart:
    for each row, the mean over its kin of their log-probability to be picked among all others
    by cosine similarity. Rows without kin in the batch do not count, and all others the same:
    batches are balanced already.

    References
    ----------
    Khosla et al., Supervised Contrastive Learning, 2020, https://arxiv.org/abs/2004.11362
    """
    features = functional.normalize(features, dim=1)
    similarity = features @ features.T / _TEMPERATURE
    itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
    kin = (targets[:, None] == targets[None, :]) & ~itself
    log_share = similarity.masked_fill(itself, -torch.inf).log_softmax(1)
    counts = kin.sum(1)
    has_kin = counts > 0
    losses = -log_share.masked_fill(~kin, 0).sum(1)[has_kin] / counts[has_kin]
    return losses.mean() if len(losses) else features.sum() * 0
