"""Every distinct row passes through the network once, across calls, folds and processes."""

import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, TextEmbedder, cache_info
from tests._tiny import counted_rows, images, texts, tiny_network

N_ROWS = 40
LABELS = np.arange(N_ROWS) % 4


def search(embedder, **kwargs):
    model = make_pipeline(embedder, RidgeClassifier())
    grid = {"ridgeclassifier__alpha": [0.01, 0.1, 1, 10, 100, 1000]}
    return GridSearchCV(model, grid, cv=5, **kwargs)


def test_a_grid_search_of_5_folds_and_6_candidates_computes_each_row_once(cache_folder):
    network = tiny_network()
    with counted_rows(network) as counts:
        search(ImageEmbedder(network)).fit(images(N_ROWS), LABELS)
    assert sum(counts) == N_ROWS


def test_a_second_search_computes_nothing(cache_folder):
    network = tiny_network()
    search(ImageEmbedder(network)).fit(images(N_ROWS), LABELS)
    with counted_rows(network) as counts:
        search(ImageEmbedder(network)).fit(images(N_ROWS), LABELS)
    assert sum(counts) == 0


def test_texts_are_computed_once_too(cache_folder):
    TextEmbedder().fit(["a"])  # the width of a row is measured with a blank one
    with counted_rows("all-MiniLM-L6-v2", "text") as counts:
        search(TextEmbedder()).fit(texts(N_ROWS), LABELS)
    assert sum(counts) == N_ROWS


def test_duplicates_in_one_call_are_computed_once_without_a_cache():
    network, column = tiny_network(), images(5)
    repeated = column[[0, 1, 0, 2, 2, 4, 3, 0]]
    with counted_rows(network) as counts:
        rows = ImageEmbedder(network, cache=False).fit_transform(repeated)
    assert sum(counts) == 5
    np.testing.assert_array_equal(rows[0], rows[2])
    np.testing.assert_array_equal(
        rows, ImageEmbedder(network, cache=False).fit_transform(column)[[0, 1, 0, 2, 2, 4, 3, 0]]
    )


def test_scores_with_the_cache_equal_those_without_it(cache_folder):
    network, column = tiny_network(), images(N_ROWS)
    scores = {
        cache: cross_val_score(
            make_pipeline(ImageEmbedder(network, cache=cache), RidgeClassifier()), column, LABELS
        )
        for cache in (True, False)
    }
    np.testing.assert_array_equal(scores[True], scores[False])


class Recorded(TransformerMixin, BaseEstimator):
    """A random resnet18 that records, in a folder, the rows per process and call."""

    def __init__(self, cache, notes):
        self.cache = cache
        self.notes = notes

    def fit(self, X, y=None):
        options = {"weights": None, "image_size": 32, "cache": self.cache}
        self.embedder_ = ImageEmbedder("resnet18", **options).fit(X)
        return self

    def transform(self, X):
        with counted_rows("resnet18", weights=None) as counts:
            rows = self.embedder_.transform(X)
        with (self.notes / str(os.getpid())).open("a") as notes:
            notes.write(f"{sum(counts)}\n")
        return rows


def recorded_rows(folder):
    """Return the computed rows per call, for each process."""
    return {int(path.name): [int(n) for n in path.open()] for path in folder.iterdir()}


def test_two_workers_each_compute_a_row_at_most_once(cache_folder, tmp_path):
    calls = []
    for name in ("first", "second"):
        notes = tmp_path / name
        notes.mkdir()
        # No refit, which would run in this process; a folder by name, because workers of
        # an earlier test have its environment.
        parallel = search(Recorded(cache_folder, notes), n_jobs=2, refit=False)
        parallel.fit(images(N_ROWS), LABELS)
        calls.append(recorded_rows(notes))
    first, second = calls
    assert os.getpid() not in {*first, *second}
    assert 1 <= len(first) <= 2
    assert sum(map(len, first.values())) == 5 * 6 * 2  # folds, candidates, train and test
    assert all(sum(counts) <= N_ROWS for counts in first.values())
    assert sum(map(sum, first.values())) >= N_ROWS
    assert sum(map(sum, second.values())) == 0


SECOND_PROCESS = """
from sktransfer import TextEmbedder, cache_info
from tests._tiny import texts
TextEmbedder().fit_transform(texts(12))
info = cache_info()
print(info.asked, info.computed)
"""


def test_a_second_process_computes_nothing(cache_folder):
    TextEmbedder().fit_transform(texts(12))
    command = [sys.executable, "-c", SECOND_PROCESS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["12", "0"]


def test_rows_computed_before_an_interrupt_are_cached(cache_folder):
    network, column = tiny_network(), images(64)
    embedder = ImageEmbedder(network, batch_size=8).fit(column)
    seen = 0

    def interrupt(module, args, output):
        nonlocal seen
        seen += len(output)
        if seen > 32:
            raise KeyboardInterrupt

    from sktransfer.backbones import get_backbone

    handle = get_backbone(network, modality="image").network.register_forward_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            embedder.transform(column)
    finally:
        handle.remove()
    with counted_rows(network) as counts:
        embedder.transform(column)
    assert sum(counts) == 32


def test_different_layers_poolings_sizes_and_precisions_do_not_share_rows(cache_folder):
    network, column = tiny_network(), images(4)
    variants = [{}, {"layer": 0}, {"layer": 0, "pooling": "max"}, {"image_size": 64}]
    variants += [{"precision": "bfloat16"}]
    for variant in variants:
        with counted_rows(network) as counts:
            ImageEmbedder(network, **variant).fit_transform(column)
        assert sum(counts) == 4, variant


def test_normalize_shares_cached_rows(cache_folder):
    network, column = tiny_network(), images(4)
    plain = ImageEmbedder(network).fit_transform(column)
    with counted_rows(network) as counts:
        unit = ImageEmbedder(network, normalize=True).fit_transform(column)
    assert sum(counts) == 0
    np.testing.assert_allclose(
        unit, plain / np.linalg.norm(plain, axis=1, keepdims=True), rtol=1e-6
    )


def test_a_file_is_identified_by_its_content_not_by_its_name(cache_folder, tmp_path):
    from PIL import Image

    network = tiny_network()
    for name in ("a.png", "b.png"):
        Image.fromarray(images(1)[0]).save(tmp_path / name)
    with counted_rows(network) as counts:
        ImageEmbedder(network).fit_transform([tmp_path / "a.png", str(tmp_path / "b.png")])
    assert sum(counts) == 1


def test_a_file_with_new_content_is_recomputed(cache_folder, tmp_path):
    from PIL import Image

    network, path = tiny_network(), tmp_path / "a.png"
    embedder = ImageEmbedder(network).fit([path])
    rows = []
    for seed in (0, 1):
        Image.fromarray(images(1, seed=seed)[0]).save(path)
        rows.append(embedder.transform([path])[0])
    assert not np.allclose(*rows)


def test_cache_info_counts_requested_and_computed_rows(cache_folder):
    before = cache_info()
    embedder = ImageEmbedder(tiny_network()).fit(images(6))
    embedder.transform(images(6))
    embedder.transform(images(6))
    after = cache_info()
    assert (after.asked - before.asked, after.computed - before.computed) == (12, 6)
    assert after.rows == 6
