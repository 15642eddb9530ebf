"""Objectives: what a training minimizes, one file each."""

from sktransfer.training.objectives._objective import Objective
from sktransfer.training.objectives._supervised import Mixup, Supervised
from sktransfer.training.objectives._supervised_contrastive import (
    SupervisedContrastive,
    contrastive_loss,
)

__all__ = ["Mixup", "Objective", "Supervised", "SupervisedContrastive", "contrastive_loss"]
