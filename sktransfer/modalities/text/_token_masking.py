"""Tokens hidden at random, as BERT was trained on."""

from __future__ import annotations

from typing import Any

from sktransfer.modalities._modality import IGNORED, Augmentation
from sktransfer.modalities.text._tokenizer import TextTokenizer

# Of the tokens to predict, the share that becomes the mask token, and that which becomes any.
_MASKED, _RANDOM = 0.8, 0.1


def token_masking(fraction: float, tokenizer: TextTokenizer) -> Augmentation:
    """Return what masks this share of the tokens that are not special, at least one of a batch.

    The targets (n, tokens) are the ids of the tokens to predict, `IGNORED` elsewhere.
    """
    mask_id = tokenizer.mask_id
    assert mask_id is not None  # or there would be no head

    def mask(items: list[list[int]], targets: Any) -> tuple[list[list[int]], Any]:
        import torch
        from torch.nn.utils.rnn import pad_sequence

        lengths = [len(item) for item in items]
        ids = torch.tensor([token for item in items for token in item])
        special = torch.isin(ids, torch.tensor(sorted(tokenizer.special_ids)))
        chance = torch.rand(len(ids), dtype=torch.float32).masked_fill(special, 1.0)
        # The least is among those below the fraction, if there are any.
        least = chance.sort().values[:1]
        chosen = ((chance < fraction) | (chance == least)) & ~special
        labels = ids.where(chosen, IGNORED)
        kind = torch.rand(len(ids), dtype=torch.float32)
        drawn = torch.randint(tokenizer.n_tokens, (len(ids),))
        changed = ids.masked_fill(chosen & (kind < _MASKED), mask_id)
        is_drawn = chosen & (kind >= _MASKED) & (kind < _MASKED + _RANDOM)
        changed = drawn.where(is_drawn, changed)
        rows = [part.tolist() for part in changed.split(lengths)]
        return rows, pad_sequence([*labels.split(lengths)], True, padding_value=IGNORED)

    return mask
