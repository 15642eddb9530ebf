"""Results computed in threads: ahead of the consumer, or several batches in parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import NoReturn, TypeVar

from sktransfer import _runtime

Job = TypeVar("Job")
Result = TypeVar("Result")

# Two threads decode as fast as a CPU computes; more would compete for its cores.
_THREADS = 2

# Threads that share a batch synchronize after every layer; threads with a batch each do not. But
# every batch in flight takes memory.
_MOST_PARALLEL = 4


def prefetch(
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    depth: int = 2 * _THREADS,
    *,
    threads: int = _THREADS,
    initializer: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """Yield ``function(job)`` for each job, in order, computed in threads ahead of the consumer.

    A single job is computed in the caller's thread.

    Parameters
    ----------
    function : callable
        Called in several threads.
    jobs : iterable
        Consumed in the caller's thread. Where it raises, the results of the jobs before come
        first.
    depth : int
        Number of jobs submitted ahead.
    threads : int
        Number of threads.
    initializer : callable, optional
        Called first in each thread.
    """
    tasks = _tasks(function, jobs)
    first = list(islice(tasks, 2))
    if len(first) == 1:
        yield first[0]()
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(
        threads, thread_name_prefix="sktransfer", initializer=initializer
    ) as pool:
        try:
            for task in chain(first, tasks):
                waiting.append(pool.submit(task))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def best_parallelism() -> int:
    """Return the number of batches to compute in parallel, such that most threads have work.

    With 6 threads, that is 3 batches on 2 threads each rather than 4 on one each.
    """
    threads = _runtime.threads()
    counts = range(2, min(_MOST_PARALLEL, threads) + 1)
    return max(counts, key=lambda count: (threads // count * count, count), default=1)


def parallel_map(
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    parallelism: int,
    *,
    waiting: int | None = None,
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
    waiting : int, optional
        Number of jobs that wait for a thread; by default one per thread.
    """
    if parallelism == 1:
        yield from map(function, jobs)
        return
    share = partial(_runtime.compute_on, _runtime.threads() // parallelism)
    ahead = parallelism + (parallelism if waiting is None else waiting)
    yield from prefetch(function, jobs, ahead, threads=parallelism, initializer=share)


def _tasks(
    function: Callable[[Job], Result], jobs: Iterable[Job]
) -> Iterator[Callable[[], Result]]:
    # An error among the jobs becomes a task, so that it is raised after the results before it.
    try:
        for job in jobs:
            yield partial(function, job)
    except Exception as error:
        yield partial(_raise, error)


def _raise(error: Exception) -> NoReturn:
    raise error
