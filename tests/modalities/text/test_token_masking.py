"""Tokens are masked as BERT has it, special ones never."""

import torch

from sktransfer._randomness import seeded
from sktransfer.backbones import get_backbone
from sktransfer.modalities.text import TextModality
from tests._tiny import texts


def masked(fraction, n=400):
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    items = backbone.processor.encode(texts(n), 64)
    with seeded(0):
        changed, targets = TextModality().masking(fraction, backbone)(items, None)
    return backbone.processor, items, changed, targets


def test_the_shares_are_those_of_bert():
    tokenizer, items, changed, targets = masked(0.15)
    flat = torch.tensor([token for item in items for token in item])
    new = torch.tensor([token for item in changed for token in item])
    lengths = torch.tensor([len(item) for item in items])
    inside = torch.arange(targets.shape[1]) < lengths[:, None]
    labels = targets[inside]
    chosen = labels >= 0
    special = torch.isin(flat, torch.tensor(sorted(tokenizer.special_ids)))
    assert not (chosen & special).any()
    assert (targets[~inside] == -100).all()
    assert torch.equal(labels[chosen], flat[chosen])
    assert torch.equal(new[~chosen], flat[~chosen])
    share = chosen.sum() / (~special).sum()
    assert 0.13 < share < 0.17
    is_mask = new[chosen] == tokenizer.mask_id
    is_same = new[chosen] == flat[chosen]
    assert 0.75 < is_mask.float().mean() < 0.85
    assert 0.06 < is_same.float().mean() < 0.14


def test_items_are_not_changed_in_place_and_keep_their_lengths():
    tokenizer, items, changed, _ = masked(0.5, n=20)
    assert [len(item) for item in items] == [len(item) for item in changed]
    assert all(tokenizer.mask_id not in item for item in items)


def test_at_least_one_token_of_a_batch_is_masked():
    _, _, _, targets = masked(1e-9, n=20)
    assert (targets >= 0).sum() == 1
