"""Two views of each text by dropout and left-out tokens, told from those of other texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.objectives._self_supervised import SelfSupervised
from sktransfer.training.objectives._simclr import nt_xent


@dataclass(frozen=True)
class SimCSE(SelfSupervised):
    """NT-Xent loss of the features of two views of a text.

    Views differ by the network's own dropout, as in the paper, and by tokens that are left out;
    without the second, less is learned.

    Parameters
    ----------
    temperature : float
        Divides cosine similarities.
    token_dropout : float
        Share of the tokens that a view leaves out.

    References
    ----------
    Gao et al., SimCSE: Simple Contrastive Learning of Sentence Embeddings, 2021,
    https://arxiv.org/abs/2104.08821
    """

    name: ClassVar[str] = "simcse"
    views: ClassVar[int] = 2

    temperature: float = 0.05
    token_dropout: float = 0.3

    def augmentation(self, modality: Any, backbone: Any, augment: Any) -> Any:
        """Return what leaves out tokens."""
        return modality.augmentation(self.token_dropout or None)

    def loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss, and the features of the first view."""
        one, other = (module(view).float() for view in batch.views)
        return nt_xent(one, other, self.temperature), one
