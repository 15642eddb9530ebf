"""The loss of the classes of pixels."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from torch.nn import functional

from sktransfer.modalities import IGNORED
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.objectives._supervised import Supervised


@dataclass
class Pixels(Supervised):
    """The cross entropy of pixels, weighted by class, and the Dice loss of classes.

    Parameters
    ----------
    target, label_smoothing
        See `Supervised`.
    dice : float
        Weight of the Dice loss.

    References
    ----------
    Milletari et al., V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image
    Segmentation, 2016, https://arxiv.org/abs/1606.04797
    """

    _: KW_ONLY
    dice: float

    def loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weighted mean loss; and scores in training, else the best classes."""
        scores = module(batch.inputs, batch.cached).float()
        targets = targets.to(scores.device)
        _refuse_other_numbers(targets, scores.shape[1])
        scores = functional.interpolate(
            scores, targets.shape[1:], mode="bilinear", align_corners=False
        )
        loss = self._weighted(scores, targets, weights)
        if self.dice:
            loss = loss + self.dice * dice_loss(scores.softmax(1), targets, weights)
        return loss, scores if module.training else scores.argmax(1)


def _refuse_other_numbers(targets: torch.Tensor, k: int) -> None:
    if (((targets < 0) & (targets != IGNORED)) | (targets >= k)).any():
        raise ValueError(
            "augment returned a mask with other values than those of the masks that it is given."
        )


def dice_loss(
    proba: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return 1 minus the mean Dice coefficient of the classes that are in a batch.

    Parameters
    ----------
    proba : Tensor of shape (n, k, H, W)
        Probability of each class.
    targets : Tensor of int64, shape (n, H, W)
        Classes; `IGNORED` where they are unknown.
    weights : Tensor of shape (n,), optional
        Weight of each row.
    """
    known = (targets != IGNORED).to(proba.dtype)
    if weights is not None:
        known = known * weights[:, None, None]
    true = functional.one_hot(targets.clamp(min=0), proba.shape[1]).movedim(3, 1) * known[:, None]
    both = (proba * true).sum((0, 2, 3))
    total = (proba * known[:, None]).sum((0, 2, 3)) + true.sum((0, 2, 3))
    present = true.sum((0, 2, 3)) > 0
    if not present.any():
        return proba.sum() * 0
    return 1 - (2 * both[present] / total[present]).mean()
