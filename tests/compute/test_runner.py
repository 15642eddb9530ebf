"""Batches of embedders through a network."""

import gc

import numpy as np
import pytest
import torch

from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.backbones import get_backbone
from sktransfer.compute import FeatureExtractor
from sktransfer.modalities.image import ImageModality
from sktransfer.modalities.text import TextModality
from sktransfer.modalities.text._text_modality import TextPreparer
from tests._jobs import our_threads
from tests._tiny import counted_rows, images, seen_batches, texts, tiny_network


def test_an_error_in_the_network_leaves_no_thread():
    network = tiny_network()
    embedder = ImageEmbedder(network, cache=False, batch_size=1).fit(images(1))

    def fail(module, args):
        raise RuntimeError("no more")

    handle = get_backbone(network, modality="image").network.register_forward_pre_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="no more"):
            embedder.transform(images(50))
    finally:
        handle.remove()
    gc.collect()
    assert our_threads() == []


def test_images_are_channels_last_and_in_batches_of_6_on_a_cpu():
    network = tiny_network()
    with seen_batches(network) as batches:
        ImageEmbedder(network, device="cpu", cache=False).fit_transform(images(20))
    assert [tuple(batch.shape) for batch in batches] == [(n, 3, 224, 224) for n in (6, 6, 6, 2)]
    assert all(batch.is_contiguous(memory_format=torch.channels_last) for batch in batches)


@pytest.mark.parametrize(
    ("size", "most"), [(16, 32), (64, 32), (112, 24), (224, 6), (512, 6), (1024, 2), (4000, 1)]
)
def test_the_batch_size_decreases_with_the_image_size(size, most):
    preparer = ImageModality(image_size=size).bind(get_backbone(tiny_network(), modality="image"))
    assert preparer.budget(on_cpu=True) == most
    assert preparer.budget(on_cpu=False) == 64


def test_large_images_are_in_small_batches():
    network = tiny_network()
    with counted_rows(network) as counts:
        ImageEmbedder(network, image_size=1024, cache=False).fit_transform(images(5))
    assert [count for count in counts if count] == [2, 2, 1]  # an empty batch, to find the width


def test_batch_size_is_the_number_of_rows_per_batch():
    network = tiny_network()
    with counted_rows(network) as counts:
        ImageEmbedder(network, batch_size=3, cache=False).fit_transform(images(7))
    assert counts == [3, 3, 1]
    TextEmbedder(cache=False).fit(texts(1))  # finds the width with batches of its own
    with counted_rows("all-MiniLM-L6-v2", "text") as counts:
        TextEmbedder(batch_size=3, cache=False).fit_transform(texts(7))
    assert counts == [3, 3, 1]


@pytest.mark.filterwarnings("ignore::sktransfer.exceptions.LeftOutWarning")
def test_batches_of_texts_stay_within_a_token_budget(monkeypatch):
    monkeypatch.setattr(FeatureExtractor, "parallelism", lambda *args: 1)  # for their order
    budget = TextModality().bind(get_backbone("all-MiniLM-L6-v2", modality="text")).budget(True)
    column = [*texts(120), " ".join(texts(30)), " ".join(texts(60))]
    TextEmbedder(cache=False).fit(column)  # finds the width with batches of its own
    with seen_batches("all-MiniLM-L6-v2", "text") as batches:
        TextEmbedder(device="cpu", cache=False).fit_transform(column)
    assert sum(map(len, batches)) == len(column)
    assert all(len(batch) == 1 or batch.numel() <= budget for batch in batches)
    lengths = [batch.shape[1] for batch in batches]
    assert lengths == sorted(lengths, reverse=True)
    assert len(batches) <= 2 * sum(batch.numel() for batch in batches) / budget + 1


def test_a_long_column_is_tokenized_in_windows_and_rows_stay_in_order(monkeypatch):
    column = texts(30)
    expected = TextEmbedder(cache=False).fit_transform(column)
    monkeypatch.setattr(TextPreparer, "window", 7)
    with counted_rows("all-MiniLM-L6-v2", "text") as counts:
        found = TextEmbedder(cache=False).fit_transform(column)
    assert len(counts) >= 5
    np.testing.assert_allclose(found, expected, atol=1e-6)
