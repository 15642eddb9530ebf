"""Base class of the objectives that compare two views of each row."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch

from sktransfer.exceptions import BackboneError
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.objectives._self_supervised import SelfSupervised


class TwoViews(SelfSupervised):
    """A loss of the head's outputs for two augmented views of the rows of a batch."""

    views: ClassVar[int] = 2
    least_rows: ClassVar[int] = 2

    @abstractmethod
    def compare(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the loss of the outputs (n, d) for both views."""

    def augmentation(self, modality: Any, backbone: Any, augment: Any) -> Any:
        """Return the augmentation; without one, the two views would be equal."""
        if augment is None:
            raise BackboneError(
                f"objective={self.name!r} compares two augmented views of each row; augment=None "
                "makes them equal. Use augment='standard', 'light' or a transform."
            )
        return super().augmentation(modality, backbone, augment)

    def loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss, and the outputs for the first view."""
        one, other = (module(view).float() for view in batch.views)
        return self.compare(one, other), one
