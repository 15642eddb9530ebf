"""Batches through a network in parallel, each on its share of the processor's threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from sktransfer import _runtime
from sktransfer.compute._prefetch import Job, Result, prefetch

# Threads that share a batch synchronize after every layer; threads with a batch each do not. But
# every batch in flight takes memory.
_MOST = 4


def best_parallelism() -> int:
    """Return the number of batches to compute in parallel, such that most threads have work.

    With 6 threads, that is 3 batches on 2 threads each rather than 4 on one each.
    """
    threads = _runtime.threads()
    counts = range(2, min(_MOST, threads) + 1)
    return max(counts, key=lambda count: (threads // count * count, count), default=1)


def parallel_map(
    function: Callable[[Job], Result], jobs: Iterable[Job], parallelism: int
) -> Iterator[Result]:
    """Yield ``function(job)`` for each job, in order, several of them computed in parallel.

    A single job is computed in the caller's thread, on all threads of it.

    Parameters
    ----------
    function : callable
        Called in several threads.
    jobs : iterable
        Consumed in the caller's thread. Where it raises, the results of the jobs before come
        first.
    parallelism : int
        Number of jobs at a time; 1 computes all jobs in the caller's thread.
    """
    if parallelism == 1:
        yield from map(function, jobs)
        return
    share = partial(_runtime.compute_on, _runtime.threads() // parallelism)
    ahead = 2 * parallelism
    yield from prefetch(function, jobs, ahead, threads=parallelism, initializer=share)
