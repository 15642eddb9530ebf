"""Interface of an objective: the loss of a batch, and the number of views of its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.training._samplers import Sampler

if TYPE_CHECKING:
    import torch
    from torch import nn

    from sktransfer.backbones import Backbone
    from sktransfer.modalities import Augmentation, Modality
    from sktransfer.training._column_data import Split
    from sktransfer.training._fine_tuned import FineTuned
    from sktransfer.training._sources import TrainingBatch


class Objective(ABC):
    """What is minimized. A new objective is a file here; `history_` names it as the phase.

    Attributes
    ----------
    name : str
        Name of its phase in `history_`.
    prepares : bool
        Whether its phase comes before the training proper: without validation rows, without the
        user's callbacks, and without the head.
    views : int
        Number of views of each row that a batch holds, each augmented anew.
    augments_validation : bool
        Whether validation rows are augmented too, in each epoch alike.
    least_rows : int
        Least number of rows in a batch from which something is learned without targets.
    lr_scale : float
        Factor on the learning rate.
    sampler : type
        Draws the rows of each batch.
    """

    name: ClassVar[str]
    prepares: ClassVar[bool] = False
    views: ClassVar[int] = 1
    augments_validation: ClassVar[bool] = False
    least_rows: ClassVar[int] = 1
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

    def augmentation(
        self, modality: Modality, backbone: Backbone, augment: Any
    ) -> Augmentation | None:
        """Return what changes the prepared cells of a batch, once per view.

        Parameters
        ----------
        modality : Modality
            Of the cells.
        backbone : Backbone
            For which they are prepared.
        augment : object
            The estimator's parameter of that name; None if it has none.
        """
        return modality.augmentation(augment)

    def start(self, head: nn.Module, train: Split) -> None:  # noqa: B027 - few need it
        """Set what a head without targets takes from the training rows before the first epoch."""

    def training_loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and outputs of a training batch, where they differ from those to validate."""
        return self.loss(module, batch, targets, weights)
