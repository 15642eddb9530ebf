"""joblib's backends with two workers each, a cluster of two processes, and threads."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import joblib
import pytest

BACKENDS = ["loky", "threading", "dask"]


@contextmanager
def two_jobs(backend: str) -> Iterator[None]:
    """Make scikit-learn use two workers of a backend."""
    if backend != "dask":
        with joblib.parallel_config(backend, n_jobs=2):
            yield
        return
    with two_workers(), joblib.parallel_config("dask", n_jobs=2):
        yield


@contextmanager
def two_workers() -> Iterator[Any]:
    """Return a client of a two-process cluster, shared by all tests of a run."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(_cluster()) as client:
        yield client


@cache
def _cluster() -> Any:
    from distributed import LocalCluster

    # It ends with this process.
    return LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)


def in_threads(work: Callable[[int], object], count: int = 8) -> None:
    """Run ``work(number)`` in threads that start at the same time; fail if any of them fails."""
    ready = threading.Barrier(count)
    failed: list[BaseException] = []

    def run(number: int) -> None:
        ready.wait()
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def our_threads() -> list[threading.Thread]:
    """Return the running threads of the package."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("sktransfer")]
