"""The weighted loss of the head's outputs."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from sktransfer.modalities import map_inputs
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.objectives._objective import Objective
from sktransfer.training.targets import Target


@dataclass
class Supervised(Objective):
    """The mean of row losses times row weights.

    Weights have mean 1 over all training rows, not over a batch: dividing by the sum of a batch
    would undo the weight of a class that is alone in it.

    Parameters
    ----------
    target : Target
        Defines the loss of a row.
    label_smoothing : float
        Passed to it.
    """

    name: ClassVar[str] = "train"

    target: Target
    label_smoothing: float = 0.0

    def loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weighted mean loss, and outputs of the head."""
        outputs = module(batch.inputs, batch.cached).float()
        return self._weighted(outputs, targets, weights), outputs

    def _weighted(
        self, outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        losses = self.target.row_loss(outputs, targets, self.label_smoothing)
        return (losses * weights).mean()


@dataclass
class Mixup(Supervised):
    """Supervised training on blends of two rows each.

    Parameters
    ----------
    target, label_smoothing
        See `Supervised`.
    alpha : float
        Parameter of the beta distribution that the share of each row is drawn from.
    random : RandomState
        Draws shares and partners.
    blends_inputs : bool
        Whether network inputs can be blended; otherwise features are.

    References
    ----------
    Zhang et al., mixup: Beyond Empirical Risk Minimization, 2017,
    https://arxiv.org/abs/1710.09412
    """

    _: KW_ONLY
    alpha: float
    random: np.random.RandomState
    blends_inputs: bool

    def training_loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the blended loss of blended rows."""
        share = float(self.random.beta(self.alpha, self.alpha))
        other = torch.from_numpy(self.random.permutation(len(batch)))

        def blend(values: torch.Tensor) -> torch.Tensor:
            return share * values + (1 - share) * values[other.to(values.device)]

        outputs = self._outputs(module, batch, blend).float()
        other = other.to(weights.device)
        loss = share * self._weighted(outputs, targets, weights)
        loss = loss + (1 - share) * self._weighted(outputs, targets[other], weights[other])
        return loss, outputs

    def _outputs(self, module: FineTuned, batch: TrainingBatch, blend: Any) -> torch.Tensor:
        if not self.blends_inputs:
            return module.blended(batch.inputs, batch.cached, blend)
        if batch.cached is not None:
            cached = batch.cached._replace(activation=blend(batch.cached.activation))
            return module(batch.inputs, cached)
        return module(map_inputs(blend, batch.inputs))
