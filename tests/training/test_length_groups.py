"""Batches of texts computed in groups of similar length."""

import torch

from sktransfer.backbones import CachedActivation, get_backbone
from sktransfer.training._length_groups import by_length


def test_length_groups_give_the_result_of_a_padded_batch():
    backbone = get_backbone("all-MiniLM-L6-v2", weights="pretrained", modality="text")
    tokens = backbone.processor.encode(
        ["one", "two words " * 20, "three", "four " * 9, "a " * 22], 64
    )
    inputs = backbone.processor.collate(tokens)
    ran = []

    def run(some, cached):
        ran.append(tuple(some["input_ids"].shape))
        return backbone.network(some, cached=cached)

    with torch.inference_mode():
        plain = backbone.network(inputs)
        torch.testing.assert_close(by_length(run, inputs, None), plain, rtol=1e-5, atol=1e-6)
        assert ran == [(1, 42), (1, 24), (1, 11), (2, 3)]
        cached = CachedActivation("layer3", backbone.network(inputs, until="layer3"))
        torch.testing.assert_close(by_length(run, inputs, cached), plain, rtol=1e-5, atol=1e-6)
