"""Masked language modelling: tokens are hidden, and predicted from those around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from sktransfer.exceptions import BackboneError, ColumnError
from sktransfer.modalities import IGNORED
from sktransfer.training._column_data import Split
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.heads import VocabularyHead
from sktransfer.training.objectives._self_supervised import SelfSupervised

# How often a token that is in none of the texts is taken to be there.
_UNSEEN = 0.1


@dataclass(frozen=True)
class MaskedTokens(SelfSupervised):
    """Cross entropy of the tokens that were masked.

    Parameters
    ----------
    mask_fraction : float
        Share of the tokens to predict.

    References
    ----------
    Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding, 2018, https://arxiv.org/abs/1810.04805
    """

    name: ClassVar[str] = "mlm"

    mask_fraction: float = 0.15

    def augmentation(self, modality: Any, backbone: Any, augment: Any) -> Any:
        """Return what masks tokens; its targets are their ids."""
        return modality.masking(self.mask_fraction, backbone)

    def head(self, backbone: Any, recipe: Any) -> nn.Module:
        """Return scores of all tokens, tied to the word embeddings."""
        embeddings = backbone.network.token_embeddings
        if embeddings is None:
            raise BackboneError(
                f"objective='mlm' needs a transformer that reads tokens, and {backbone.name!r} is "
                "none; use objective='simcse'."
            )
        if backbone.processor.mask_id is None:
            raise BackboneError(
                f"The tokenizer of {backbone.name!r} has no mask token, such as [MASK] or <mask>: "
                "its model was not made for masked tokens. Use objective='simcse'."
            )
        width = backbone.feature_width("token", recipe)
        return VocabularyHead(backbone.width(recipe=recipe), width, *embeddings.weight.shape)

    def start(self, head: Any, train: Split) -> None:
        """Set the bias of each token's score to the logarithm of its share of the training texts.

        Otherwise the network, which is the faster to learn, would first of all learn these
        shares. On questions of TREC, one training so lost 6 points with 64 labels a class, where it
        gains 7.
        """
        items = train.data.runner.prepare_all(train.rows.tolist())
        tokens = torch.tensor([token for item in items.values() for token in item])
        counts = torch.bincount(tokens, minlength=head.n_outputs)
        counts[sorted(train.data.backbone.processor.special_ids)] = 0
        if not counts.any():
            raise ColumnError(
                "There is no token to mask: all tokens of these texts are special, or unknown to "
                f"the tokenizer of {train.data.backbone.name!r}."
            )
        seen = counts.float() + _UNSEEN
        head.bias.data.copy_((seen / seen.sum()).log())

    def loss(
        self, module: FineTuned, batch: TrainingBatch, targets: Any, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss of the masked tokens, and the scores of all tokens for each."""
        features = module.features_of("token", batch.inputs)
        missing = features.shape[1] - batch.targets.shape[1]
        targets = functional.pad(batch.targets, (0, missing), value=IGNORED).to(features.device)
        masked = targets != IGNORED
        embeddings = module.network.token_embeddings
        assert embeddings is not None  # or there would be no head
        scores = module.head(features[masked], embeddings.weight)
        losses = functional.cross_entropy(scores.float(), targets[masked], reduction="sum")
        return losses / masked.sum().clamp(min=1), scores
