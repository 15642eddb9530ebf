"""On a two-process cluster, each worker loads weights once, rows are cached, and errors are reported."""

import os
import pickle
import signal
import subprocess
import sys
from functools import wraps

import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sktransfer import TextClassifier, TextEmbedder, cache_info
from sktransfer.exceptions import BadCellError
from tests._jobs import two_workers
from tests._tiny import texts

N_ROWS = 24
LABELS = np.arange(N_ROWS) % 2
SERIES = pd.Series(texts(N_ROWS), name="text")


@pytest.fixture(scope="module")
def client():
    """Return a client of two workers."""
    with two_workers() as client:
        yield client
        client.run(_stop_watching)


@pytest.fixture
def workers(client):
    """Return the client with no backbone loaded in its workers, and record what they load."""
    client.run(_watch)
    return client


def _watch():
    """Forget all backbones, and record the names of those that are loaded from now on."""
    from sktransfer.backbones import _registry, bundled

    _stop_watching()
    _registry._loaded.clear()
    load, notes = bundled.load, []

    @wraps(load)
    def recorded(name, **options):
        notes.append(name)
        return load(name, **options)

    recorded.notes = notes
    bundled.load = recorded


def _stop_watching():
    from sktransfer.backbones import bundled

    bundled.load = getattr(bundled.load, "__wrapped__", bundled.load)


def _loaded():
    from sktransfer.backbones import bundled

    return bundled.load.notes


def _computed():
    return cache_info().computed


def of_workers(client, function):
    """Return the result of a function in each worker."""
    return list(client.run(function).values())


def lazy(series=SERIES, partitions=8):
    return dd.from_pandas(series, npartitions=partitions)


@pytest.mark.slow
def test_each_worker_loads_the_backbone_once_for_all_its_partitions(workers, tmp_path):
    features = TextEmbedder(cache=False).fit_transform(lazy())
    assert of_workers(workers, _loaded) == [[], []]
    found = features.compute()
    assert of_workers(workers, _loaded) == [["all-MiniLM-L6-v2"]] * 2
    expected = TextEmbedder(cache=False).fit_transform(SERIES)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_search_loads_once_and_computes_each_row_once_per_worker(workers, tmp_path):
    model = make_pipeline(TextEmbedder(cache=tmp_path), RidgeClassifier())
    assert len(pickle.dumps(model)) < 2_000
    grid = {"ridgeclassifier__alpha": [0.1, 1, 10]}
    before = sum(of_workers(workers, _computed))
    with joblib.parallel_config("dask"):
        search = GridSearchCV(model, grid, cv=2, refit=False).fit(SERIES, LABELS)
    alone = GridSearchCV(model, grid, cv=2, refit=False).fit(SERIES, LABELS)
    scores = "mean_test_score"
    np.testing.assert_array_equal(search.cv_results_[scores], alone.cv_results_[scores])
    assert max(map(len, of_workers(workers, _loaded))) == 1
    assert N_ROWS <= sum(of_workers(workers, _computed)) - before <= 2 * N_ROWS
    assert cache_info(tmp_path).rows == N_ROWS


def test_workers_share_a_cache_given_by_path_or_use_their_own(workers, tmp_path):
    TextEmbedder(cache=tmp_path / "shared").fit_transform(lazy()).compute()
    assert cache_info(tmp_path / "shared").rows == N_ROWS

    def get_cache(dask_worker, folder=tmp_path):
        before = os.environ.get("SKTRANSFER_CACHE")
        os.environ["SKTRANSFER_CACHE"] = str(folder / str(dask_worker.name))
        return before

    before = workers.run(get_cache)
    try:
        TextEmbedder().fit_transform(lazy()).compute()
    finally:
        for worker, value in before.items():
            workers.run(os.environ.__setitem__, "SKTRANSFER_CACHE", value, workers=[worker])
    kept = [cache_info(folder).rows for folder in tmp_path.iterdir() if folder.name != "shared"]
    assert len(kept) == 2
    assert sum(kept) == N_ROWS


FIRST_RUN = """
import os, signal, sys
import dask
import dask.dataframe as dd
from sktransfer import TextEmbedder
from tests.lazy.test_cluster import lazy

def die_at_the_sixth(part, partition_info):
    if partition_info["number"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return part

dask.config.set(scheduler="sync")
column = lazy().map_partitions(die_at_the_sixth, meta=lazy()._meta)
TextEmbedder(cache=sys.argv[1]).fit_transform(column).to_parquet(sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL here")
def test_a_run_after_a_killed_one_computes_only_the_missing_rows(workers, tmp_path):
    cache, features = tmp_path / "cache", tmp_path / "features"
    ended = subprocess.run([sys.executable, "-c", FIRST_RUN, str(cache), str(features)])
    assert ended.returncode == -signal.SIGKILL
    kept = cache_info(cache).rows
    assert 0 < kept < N_ROWS
    before = sum(of_workers(workers, _computed))
    TextEmbedder(cache=cache).fit_transform(lazy()).to_parquet(features)
    assert sum(of_workers(workers, _computed)) - before == N_ROWS - kept
    expected = TextEmbedder(cache=False).fit_transform(SERIES)
    np.testing.assert_allclose(pd.read_parquet(features), expected, rtol=1e-4, atol=1e-6)


def test_an_error_names_its_partition_and_its_row(workers):
    column = lazy(SERIES.mask(SERIES.index == 13))
    with pytest.raises(BadCellError, match=r"in partition 4: row 1 \(index 13\)") as told:
        TextEmbedder(cache=False).fit_transform(column).compute()
    assert told.value.row == 1


def test_a_fine_tuner_predicts_in_the_workers(workers):
    classifier = TextClassifier(trainable=1, max_epochs=1, random_state=0, cache=False)
    classifier.fit(SERIES, LABELS)
    expected = classifier.predict(SERIES).tolist()
    assert classifier.predict(lazy()).compute().tolist() == expected
    # A busy machine may leave all partitions to one worker.
    loaded = [names for names in of_workers(workers, _loaded) if names]
    assert loaded in ([["all-MiniLM-L6-v2"]], [["all-MiniLM-L6-v2"]] * 2)
