"""Objectives: what a training minimizes, one file each."""

from sktransfer.training.objectives._objective import Objective as Objective
from sktransfer.training.objectives._supervised import Mixup as Mixup
from sktransfer.training.objectives._supervised import Supervised as Supervised
from sktransfer.training.objectives._supervised_contrastive import (
    SupervisedContrastive as SupervisedContrastive,
)
from sktransfer.training.objectives._supervised_contrastive import (
    contrastive_loss as contrastive_loss,
)
