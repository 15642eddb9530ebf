"""joblib's backends, with two workers each."""

from collections.abc import Iterator
from contextlib import contextmanager

import joblib
import pytest

BACKENDS = ["loky", "threading", "dask"]


@contextmanager
def two_jobs(backend: str) -> Iterator[None]:
    """Let scikit-learn use two workers of a backend."""
    if backend != "dask":
        with joblib.parallel_config(backend, n_jobs=2):
            yield
        return
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config("dask", n_jobs=2):
        yield
