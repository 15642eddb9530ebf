"""Concurrent jobs that need the same rows each compute a part of them."""

import threading
import time

import numpy as np
import pytest

from sktransfer import ImageEmbedder, TextEmbedder
from sktransfer.compute import _plan
from sktransfer.exceptions import BadCellError
from tests._jobs import in_threads
from tests._tiny import counted_rows, images, seen_batches, texts, tiny_network

N = 120


@pytest.fixture(autouse=True)
def _rows_are_written_at_once(monkeypatch):
    monkeypatch.setattr(_plan, "_SECONDS_BETWEEN_WRITES", 0.0)


def slowly(module, args):
    time.sleep(0.01)  # like a large network, which releases the GIL


@pytest.mark.parametrize("kind", ["image", "text"])
def test_two_jobs_compute_few_rows_twice_and_both_return_all(cache_folder, kind):
    if kind == "image":
        column, embedder = images(N), ImageEmbedder(tiny_network(), image_size=32, batch_size=4)
    else:
        column, embedder = texts(N), TextEmbedder(batch_size=4)
    embedder.fit(column)
    expected = type(embedder)(**{**embedder.get_params(), "cache": False}).fit_transform(column)
    found = [None, None]

    def work(number):
        found[number] = embedder.transform(column)

    with counted_rows(embedder.backbone, kind) as counts:
        from sktransfer.backbones import get_backbone

        network = get_backbone(embedder.backbone, modality=kind).network
        handle = network.register_forward_pre_hook(slowly)
        try:
            in_threads(work, 2)
        finally:
            handle.remove()
    assert N <= sum(counts) < 1.5 * N
    for rows in found:
        np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)


def test_a_single_job_computes_rows_in_order(cache_folder):
    column = np.full((15, 16, 16, 3), 255, np.uint8)
    column //= np.arange(1, 16, dtype=np.uint8)[:, None, None, None]  # increasingly dark
    network = tiny_network()
    with seen_batches(network) as batches:
        ImageEmbedder(network, image_size=16, batch_size=5).fit_transform(column)
    seen = np.concatenate([batch.numpy().mean((1, 2, 3)) for batch in batches if len(batch)])
    assert len(seen) == 15
    assert (np.diff(seen) < 0).all()


@pytest.mark.parametrize("cache", [True, False])
def test_a_bad_cell_is_named_in_a_job_too(cache_folder, cache):
    column = [*images(20), b"no image", *images(5, seed=1)]
    embedder = ImageEmbedder(tiny_network(), image_size=16, cache=cache).fit(column)
    errors = []

    def work():
        try:
            embedder.transform(column)
        except BadCellError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [error.row for error in errors] == [20]
