"""Interface of an objective: the loss of a batch, and the number of views of its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.training._samplers import Sampler

if TYPE_CHECKING:
    import torch

    from sktransfer.training._fine_tuned import FineTuned
    from sktransfer.training._sources import TrainingBatch


class Objective(ABC):
    """What is minimized. A new objective is a file here; `history_` names it as the phase.

    Attributes
    ----------
    name : str
        Name of its phase in `history_`.
    uses_head : bool
        Whether it trains the head. If not, it has no predictions for callbacks and scores.
    views : int
        Number of views of each row that a batch holds, each augmented anew.
    lr_scale : float
        Factor on the learning rate.
    sampler : type
        Draws the rows of each batch.
    """

    name: ClassVar[str]
    uses_head: ClassVar[bool] = True
    views: ClassVar[int] = 1
    lr_scale: ClassVar[float] = 1.0
    sampler: ClassVar[type[Sampler]] = Sampler

    @abstractmethod
    def loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss of a batch, and the outputs that it was computed from.

        Parameters
        ----------
        module : FineTuned
            In training mode, or in eval mode for validation rows.
        batch : TrainingBatch
            The rows, in `views` views.
        targets : Tensor or None
            Encoded targets of the rows; None where there are none.
        weights : Tensor of shape (n,)
            Row weights, with mean 1 over all training rows.
        """

    def training_loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and outputs of a training batch, where they differ from those to validate."""
        return self.loss(module, batch, targets, weights)
