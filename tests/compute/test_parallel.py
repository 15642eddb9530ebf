"""Parallel batches through a network."""

import ctypes
import gc
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from sktransfer import ImageClassifier, ImageEmbedder, TextEmbedder
from sktransfer.compute import FeatureExtractor, _extractor
from sktransfer.compute._parallel import best_parallelism, parallel_map
from sktransfer.exceptions import BadCellError
from sktransfer.modalities import n_rows
from tests._jobs import our_threads
from tests._tiny import counted_rows, images, texts, tiny_network

PATIENCE = 20  # timeout in seconds for events that should happen immediately


@contextmanager
def threads_of_torch(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def four_threads():
    with threads_of_torch(4):
        yield


@pytest.fixture
def two_threads():
    with threads_of_torch(2):
        yield


@pytest.fixture
def one_thread():
    with threads_of_torch(1):
        yield


def test_jobs_run_concurrently_with_equal_shares_of_the_threads(four_threads):
    together = threading.Barrier(2)

    def run(job):
        together.wait(PATIENCE)  # fails unless two run at the same time
        return job, torch.get_num_threads()

    assert list(parallel_map(run, range(10), parallelism=2)) == [(job, 2) for job in range(10)]
    assert torch.get_num_threads() == 4
    assert our_threads() == []


@pytest.mark.parametrize(("waiting", "most"), [(None, 5), (0, 3), (1, 4)])
def test_few_jobs_are_taken_ahead_of_the_consumer(two_threads, waiting, most):
    taken = []

    def jobs():
        for job in range(20):
            taken.append(job)
            yield job

    for done, job in enumerate(parallel_map(abs, jobs(), parallelism=2, waiting=waiting)):
        assert job == done
        assert len(taken) <= done + most


def test_matrix_products_use_their_share_of_the_threads(four_threads):
    library = ctypes.CDLL(str(next((Path(torch.__file__).parent / "lib").glob("*torch_cpu.*"))))
    if not hasattr(library, "MKL_Get_Max_Threads"):
        pytest.skip("this torch is made without MKL")
    found = list(parallel_map(lambda job: library.MKL_Get_Max_Threads(), range(6), parallelism=2))
    assert found == [2] * 6
    assert library.MKL_Get_Max_Threads() == 4


def test_other_threads_started_meanwhile_are_not_limited(four_threads):
    seen = []

    def run(job):
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()

    list(parallel_map(run, range(6), parallelism=2))
    assert seen == [4] * 6


def test_a_single_job_uses_all_threads(four_threads):
    here = threading.current_thread().name

    def run(job):
        return threading.current_thread().name, torch.get_num_threads()

    assert list(parallel_map(run, [0], parallelism=4)) == [(here, 4)]
    assert list(parallel_map(run, [0, 1], parallelism=1)) == [(here, 4)] * 2
    assert list(parallel_map(run, [], parallelism=4)) == []


def test_one_thread_computes_one_batch_at_a_time(one_thread):
    assert best_parallelism() == 1


@pytest.mark.parametrize(
    ("threads", "parallelism"),
    [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (6, 3), (7, 3), (8, 4), (64, 4)],
)
def test_the_number_of_parallel_batches_uses_most_threads(monkeypatch, threads, parallelism):
    monkeypatch.setattr("sktransfer._runtime.threads", lambda: threads)
    assert best_parallelism() == parallelism


@pytest.mark.parametrize("where", ["jobs", "run"])
def test_results_before_an_error_are_yielded(where):
    def jobs():
        for job in range(10):
            if where == "jobs" and job == 5:
                raise KeyError("no more")
            yield job

    def run(job):
        if where == "run" and job == 5:
            raise KeyError("no more")
        return job

    seen = []
    with pytest.raises(KeyError, match="no more"):
        seen.extend(parallel_map(run, jobs(), parallelism=2))
    assert seen == [0, 1, 2, 3, 4]
    assert our_threads() == []


@pytest.mark.parametrize("abandon", ["close", "forget"])
def test_an_abandoned_iterator_leaves_no_thread(abandon):
    results = parallel_map(lambda job: job, iter(range(1000)), parallelism=2)
    next(results)
    assert our_threads()
    if abandon == "close":
        results.close()
    del results
    gc.collect()
    assert our_threads() == []


BACKBONES = {
    "image": (
        ImageEmbedder("efficientnet_lite0", image_size=64, cache=False, device="cpu"),
        images,
    ),
    "text": (TextEmbedder(cache=False, device="cpu"), lambda n: [*texts(n), " ".join(texts(90))]),
}


@pytest.mark.filterwarnings("ignore::sktransfer.exceptions.LeftOutWarning")
@pytest.mark.parametrize("modality", BACKBONES)
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.02)])
def test_parallel_batches_give_the_features_of_sequential_ones(
    monkeypatch, four_threads, modality, precision, tolerance
):
    embedder, column = BACKBONES[modality]
    embedder.set_params(precision=precision)
    cells = column(50)
    seen = set()
    real = FeatureExtractor.features

    def features(self, inputs):
        seen.add(threading.current_thread().name)
        return real(self, inputs)

    monkeypatch.setattr(FeatureExtractor, "features", features)
    found = embedder.fit_transform(cells)
    assert len(seen) > 1
    seen.clear()
    monkeypatch.setattr(_extractor, "best_parallelism", lambda: 1)
    expected = embedder.fit_transform(cells)
    assert seen == {threading.current_thread().name}
    length = np.linalg.norm(expected, axis=1).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * length)


def computing_threads(monkeypatch, embedder, column):
    seen = []
    real = FeatureExtractor.features

    def features(self, inputs):
        seen.append((threading.current_thread(), n_rows(inputs)))
        return real(self, inputs)

    monkeypatch.setattr(FeatureExtractor, "features", features)
    embedder.fit_transform(column)
    return seen


def test_a_users_module_is_called_in_one_thread(monkeypatch, four_threads):
    seen = computing_threads(monkeypatch, ImageEmbedder(tiny_network(), cache=False), images(40))
    assert {thread for thread, _ in seen} == {threading.current_thread()}


def test_a_network_fine_tuned_from_a_users_module_is_called_in_one_thread(
    monkeypatch, four_threads
):
    column = images(40)
    fitted = ImageClassifier(tiny_network(), max_epochs=1, image_size=32, cache=False)
    fitted.fit(column, np.arange(40) % 2)
    seen = computing_threads(monkeypatch, ImageEmbedder(fitted, cache=False), column)
    assert {thread for thread, _ in seen} == {threading.current_thread()}


def test_a_stored_error_keeps_no_thread_alive(four_threads):
    column = [*images(60), b"no image", *images(40, seed=1)]
    embedder = ImageEmbedder("resnet18", weights=None, image_size=32, cache=False).fit(column)
    with pytest.raises(BadCellError) as error:
        embedder.transform(column)
    assert error.value.row == 60
    assert our_threads() == []


def test_a_given_batch_size_disables_parallel_batches(monkeypatch, four_threads):
    seen = computing_threads(monkeypatch, TextEmbedder(batch_size=4, cache=False), texts(10))
    assert seen == [(threading.current_thread(), size) for size in (4, 4, 2)]


def test_rows_before_a_bad_cell_are_in_the_cache(tmp_path, four_threads):
    column = [*images(60), b"no image", *images(3, seed=1)]
    embedder = ImageEmbedder(image_size=64, cache=tmp_path, device="cpu").fit(column[:1])
    with pytest.raises(BadCellError, match="row 60"):
        embedder.transform(column)
    with counted_rows("efficientnet_lite0") as counts:
        embedder.transform(column[:48])
    assert sum(counts) == 0


def test_rows_follow_their_cells_into_another_order(four_threads):
    column = images(70)
    embedder = ImageEmbedder(image_size=64, cache=False, device="cpu").fit(column)
    found = embedder.transform(column)
    order = np.random.default_rng(0).permutation(70)
    again = embedder.transform(column[order])
    np.testing.assert_allclose(again, found[order], atol=1e-5 * np.abs(found).max())
