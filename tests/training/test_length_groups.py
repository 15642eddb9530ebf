"""Batches of texts that run in parts of like length."""

import torch

from sktransfer.adapt._lengths import in_parts
from sktransfer.backbones import Given, get_backbone


def test_parts_of_like_length_give_what_a_padded_batch_gives():
    backbone = get_backbone("all-MiniLM-L6-v2", weights="pretrained", modality="text")
    tokens = backbone.tokenizer.encode(
        ["one", "two words " * 20, "three", "four " * 9, "a " * 22], 64
    )
    inputs = backbone.tokenizer.collate(tokens)
    ran = []

    def run(some, given):
        ran.append(tuple(some["input_ids"].shape))
        return backbone.network(some, given=given)

    with torch.inference_mode():
        plain = backbone.network(inputs)
        torch.testing.assert_close(in_parts(run, inputs, None), plain, rtol=1e-5, atol=1e-6)
        assert ran == [(1, 42), (1, 24), (1, 11), (2, 3)]
        given = Given("layer3", backbone.network(inputs, until="layer3"))
        torch.testing.assert_close(in_parts(run, inputs, given), plain, rtol=1e-5, atol=1e-6)
