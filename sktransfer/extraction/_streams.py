"""Batches through a network side by side, each on its share of the processor's threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NoReturn, TypeVar

from sktransfer import _runtime
from sktransfer.extraction._ahead import ahead

Job = TypeVar("Job")
Made = TypeVar("Made")

# Threads that share a batch wait for each other after every layer, and for those that decode;
# threads with a batch each do not. But every batch takes memory of its own.
_MOST = 4


def best_streams() -> int:
    """Return how many batches to compute side by side: so many that most threads have work.

    Of 6 threads that is 3 batches on 2 threads each, and not 4 on one each.
    """
    threads = _runtime.threads()
    counts = range(2, min(_MOST, threads) + 1)
    return max(counts, key=lambda count: (threads // count * count, count), default=1)


def side_by_side(run: Callable[[Job], Made], jobs: Iterable[Job], streams: int) -> Iterator[Made]:
    """Yield ``run(job)`` for each job, in order, `streams` of them computed at a time.

    A single job is done in the caller's thread, on all threads that it computes on.

    Parameters
    ----------
    run : callable
        Computes; several threads call it.
    jobs : iterable
        Taken from in the caller's thread. Where it raises, what was computed of the jobs before
        that comes first.
    streams : int
        How many; 1 for all jobs in the caller's thread.
    """
    if streams == 1:
        yield from map(run, jobs)
        return
    share = partial(_runtime.compute_on, _runtime.threads() // streams)
    yield from ahead(_call, _tasks(run, jobs), by=2 * streams, threads=streams, begin=share)


def _tasks(run: Callable[[Job], Made], jobs: Iterable[Job]) -> Iterator[Callable[[], Made]]:
    # An error among the jobs becomes a task, so that it comes when those before it are done.
    try:
        for job in jobs:
            yield partial(run, job)
    except Exception as error:
        yield partial(_fail, error)


def _call(task: Callable[[], Made]) -> Made:
    return task()


def _fail(error: Exception) -> NoReturn:
    raise error
