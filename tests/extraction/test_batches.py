"""How rows are put together for the network, and prepared while it computes."""

import gc
import threading

import numpy as np
import pytest
import torch

from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.backbones import get_backbone
from sktransfer.extraction import _texts
from sktransfer.extraction._ahead import ahead
from sktransfer.extraction._batches import (
    CPU_TOKENS,
    equal_batches,
    sorted_batches,
    token_batches,
)
from sktransfer.extraction._images import ImageReader
from sktransfer.extraction._reader import Batching
from tests._jobs import our_threads
from tests._tiny import counted_rows, images, seen_batches, texts, tiny_network

LENGTHS = [int(n) for n in np.random.default_rng(0).integers(1, 60, 200)] + [500, 400, 1]
PATIENCE = 20  # seconds for what should happen at once


def flat(batches):
    return [i for batch in batches for i in batch]


def test_equal_batches_keep_the_order_and_end_with_a_shorter_one():
    assert equal_batches([5, 6, 7, 8, 9], 2) == [[5, 6], [7, 8], [9]]
    assert equal_batches([5, 6], 2) == [[5, 6]]
    assert equal_batches([], 2) == []


@pytest.mark.parametrize(
    "batches", [sorted_batches(LENGTHS, 7), token_batches(LENGTHS, 128)], ids=["size", "tokens"]
)
def test_every_text_is_in_one_batch_and_the_longest_come_first(batches):
    assert sorted(flat(batches)) == list(range(len(LENGTHS)))
    lengths = [LENGTHS[i] for i in flat(batches)]
    assert lengths == sorted(lengths, reverse=True)


def test_sorted_batches_are_of_one_size():
    assert {len(batch) for batch in sorted_batches(LENGTHS, 7)[:-1]} == {7}


@pytest.mark.parametrize("budget", [1, 128, 1000, 10**6])
def test_token_batches_fill_their_budget_padding_included(budget):
    batches = token_batches(LENGTHS, budget)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * LENGTHS[batch[0]] <= budget
    for batch in batches[:-1]:
        assert (len(batch) + 1) * LENGTHS[batch[0]] > budget


def test_texts_without_tokens_and_no_texts_are_batches_too():
    assert sorted(flat(token_batches([0, 0, 3], 4))) == [0, 1, 2]
    assert token_batches([], 4) == sorted_batches([], 4) == []


def test_what_is_prepared_keeps_its_order_though_two_threads_make_it():
    both_at_work = threading.Barrier(2)
    first_made = threading.Event()
    makers = set()

    def make(job):
        makers.add(threading.current_thread().name)
        if job < 2:
            both_at_work.wait(PATIENCE)  # fails unless two are made at the same time
        if job == 0:
            assert first_made.wait(PATIENCE)
        if job == 1:
            first_made.set()  # so the second is made before the first
        return job * 10

    assert list(ahead(make, range(20))) == [job * 10 for job in range(20)]
    assert len(makers) == 2
    assert threading.current_thread().name not in makers
    assert our_threads() == []


def test_what_comes_next_is_prepared_while_the_consumer_works():
    made = [threading.Event() for _ in range(50)]
    results = ahead(lambda job: made[job].set(), range(50))
    next(results)
    assert all(event.wait(PATIENCE) for event in made[:4])  # the consumer is still at the first
    assert not any(event.is_set() for event in made[10:])  # and memory stays bounded
    results.close()


def test_an_error_comes_at_its_place_after_the_results_before_it():
    def make(job):
        if job >= 3:
            raise KeyError(job)
        return job

    results, seen = ahead(make, range(10)), []
    with pytest.raises(KeyError, match="3"):
        seen.extend(results)  # list.extend keeps what came before the error
    assert seen == [0, 1, 2]
    assert our_threads() == []


@pytest.mark.parametrize("abandon", ["close", "forget"])
def test_an_abandoned_preparation_leaves_no_thread(abandon):
    results = ahead(lambda job: job, range(1000))
    next(results)
    assert our_threads()
    if abandon == "close":
        results.close()
    del results
    gc.collect()
    assert our_threads() == []


def test_an_error_in_the_network_leaves_no_thread():
    network = tiny_network()
    embedder = ImageEmbedder(network, cache=False, batch_size=1).fit(images(1))

    def fail(module, args):
        raise RuntimeError("no more")

    from sktransfer.backbones import get_backbone

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


def test_a_batch_size_is_taken_at_its_word():
    network = tiny_network()
    with counted_rows(network) as counts:
        ImageEmbedder(network, batch_size=3, cache=False).fit_transform(images(7))
    assert counts == [3, 3, 1]
    with counted_rows("all-MiniLM-L6-v2", "text") as counts:
        TextEmbedder(batch_size=3, cache=False).fit_transform(texts(7))
    assert counts == [3, 3, 1]


def test_texts_go_through_the_network_within_a_budget_of_tokens():
    column = [*texts(120), " ".join(texts(30)), " ".join(texts(60))]
    with seen_batches("all-MiniLM-L6-v2", "text") as batches:
        TextEmbedder(device="cpu", cache=False).fit_transform(column)
    assert sum(map(len, batches)) == len(column)
    assert all(len(batch) == 1 or batch.numel() <= CPU_TOKENS for batch in batches)
    lengths = [batch.shape[1] for batch in batches]
    assert lengths == sorted(lengths, reverse=True)
    assert len(batches) <= 2 * sum(batch.numel() for batch in batches) / CPU_TOKENS + 1


def test_a_long_column_is_tokenized_in_parts_and_each_row_finds_its_place(monkeypatch):
    column = texts(30)
    expected = TextEmbedder(cache=False).fit_transform(column)
    monkeypatch.setattr(_texts, "_TOKENIZED_TOGETHER", 7)
    with counted_rows("all-MiniLM-L6-v2", "text") as counts:
        found = TextEmbedder(cache=False).fit_transform(column)
    assert len(counts) >= 5
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "streams", "expected"),
    [(32, 2, 16), (192, 2, 8), (224, 2, 6), (512, 2, 4), (1024, 1, 2), (1024, 2, 1), (4000, 1, 1)],
)
def test_the_larger_images_are_the_smaller_is_a_batch(size, streams, expected):
    backbone = get_backbone(tiny_network(), modality="image")
    batching = Batching(streams=streams)
    assert ImageReader(image_size=size)._batch_size(backbone, batching) == expected
    assert ImageReader(image_size=size, batch_size=100)._batch_size(backbone, batching) == 100


def test_a_network_sees_large_images_in_small_batches():
    network = tiny_network()
    with counted_rows(network) as counts:
        ImageEmbedder(network, image_size=1024, cache=False).fit_transform(images(5))
    assert [count for count in counts if count] == [2, 2, 1]  # none, to see the width
