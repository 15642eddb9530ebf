"""The loss of the tags of words, one by one or as a sequence."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from sktransfer.modalities import IGNORED
from sktransfer.training._crf import best_tags, negative_log_likelihood
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.objectives._supervised import Supervised


@dataclass
class TagSequences(Supervised):
    """The negative log-likelihood of each row's tags.

    Parameters
    ----------
    target, label_smoothing
        See `Supervised`.
    decoder : {"crf", "viterbi", "greedy"}
        "crf": of the sequence, in a conditional random field; others: of each word by itself.
    """

    _: KW_ONLY
    decoder: str

    def loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weighted mean loss; and scores in training, else the best tags, one-hot."""
        scores = module(batch.inputs, batch.cached).float()
        targets = targets.to(scores.device)
        mask = targets != IGNORED
        if self.decoder == "crf":
            tags = targets.clamp(min=0)
            losses = negative_log_likelihood(scores, module.head.transitions, tags, mask)
        else:
            losses = self.target.row_loss(scores, targets, self.label_smoothing)
        loss = (losses * weights).mean()
        return loss, scores if module.training else self._decoded(module, scores, mask)

    def _decoded(self, module: FineTuned, scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        transitions = module.head.transitions.cpu().numpy()
        tags = np.zeros(mask.shape, dtype=np.int64)
        for row, length in enumerate(mask.sum(1).tolist()):
            some = scores[row, :length].cpu().numpy()
            tags[row, :length] = best_tags(some, transitions, greedy=self.decoder == "greedy")
        return functional.one_hot(torch.from_numpy(tags), scores.shape[-1])
