"""Vectors of words are those of the network's tokens, in one window or in several."""

import numpy as np
import pytest
import torch

from sktransfer.backbones import get_backbone, word_backbone
from sktransfer.exceptions import BackboneError
from sktransfer.modalities.text import WordModality

CPU = torch.device("cpu")
TEXTS = ["Unbelievable Lovelace", "one", "Babbage met her in London, on 5 June 1833."]


def minilm(layer="middle", **options):
    backbone = get_backbone("all-MiniLM-L6-v2", modality="text")
    modality = WordModality(layer=layer, **options)
    return backbone, modality, word_backbone(backbone, layer, modality.recipe(backbone))


def words(made, modality, texts, until=None):
    preparer = modality.bind(made)
    items = [preparer.prepare(text, None) for text in texts]
    with torch.inference_mode():
        found = made.network(preparer.collate(items, CPU), until=until or made.stages[-1])
    return [row[: len(item.words)] for row, item in zip(found, items, strict=True)], items


@pytest.mark.parametrize("subwords", ["mean", "first"])
def test_a_word_is_the_mean_or_the_first_of_its_tokens(subwords):
    backbone, modality, made = minilm(subwords=subwords)
    found, items = words(made, modality, TEXTS)
    for text, row, item in zip(TEXTS, found, items, strict=True):
        inputs = backbone.processor.collate(backbone.processor.encode([text], 256))
        with torch.inference_mode():
            tokens = backbone.network(inputs, until="layer3")[0]
        for vector, (_, first, last) in zip(row, item.places.tolist(), strict=True):
            own = tokens[first:last] if subwords == "mean" else tokens[first : first + 1]
            torch.testing.assert_close(vector, own.mean(0), rtol=1e-4, atol=1e-5)


def test_words_do_not_depend_on_the_texts_beside_them():
    _, modality, made = minilm(max_length=12)
    long = " ".join(TEXTS * 4)
    together, _ = words(made, modality, [*TEXTS, long])
    for text, row in zip([*TEXTS, long], together, strict=True):
        torch.testing.assert_close(words(made, modality, [text])[0][0], row, rtol=1e-4, atol=1e-5)


def test_words_of_a_long_text_are_those_of_the_windows_around_them():
    _, modality, made = minilm(max_length=34)
    found, (item,) = words(made, modality, [" ".join(TEXTS * 8)])
    whole, _ = words(minilm()[2], minilm()[1], [" ".join(TEXTS * 8)])
    assert len(item.windows) > 2
    assert found[0].shape == whole[0].shape
    similar = torch.cosine_similarity(found[0], whole[0])
    assert similar.min() > 0.5
    assert similar.mean() > 0.8


def test_the_network_ends_at_the_stage():
    backbone, _, made = minilm()
    assert made.stages == ("embeddings", "layer1", "layer2", "layer3")
    assert minilm(layer=-1)[2].stages == backbone.stages
    assert minilm(layer="layer1")[2].stages[-1] == "layer1"
    with pytest.raises(BackboneError, match="no layer 'layer9'"):
        minilm(layer="layer9")
    with pytest.raises(BackboneError, match="one vector per text"):
        minilm(layer="pooled")


def test_layers_and_subwords_have_fingerprints_of_their_own_and_are_made_once():
    ways = [{}, {"layer": 2}, {"subwords": "first"}]
    assert len({minilm(**way)[2].fingerprint for way in ways}) == 3
    assert minilm()[2] is minilm()[2]


def test_the_pooled_output_is_the_mean_over_words():
    _, modality, made = minilm()
    rows, _ = words(made, modality, TEXTS)
    preparer = modality.bind(made)
    with torch.inference_mode():
        inputs = preparer.collate([preparer.prepare(text, None) for text in TEXTS], CPU)
        pooled = made.network(inputs)
    for vector, row in zip(pooled, rows, strict=True):
        np.testing.assert_allclose(vector, row.mean(0), rtol=1e-4, atol=1e-5)
