"""Results computed in threads, a few jobs ahead of the consumer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Two threads decode as fast as a CPU computes; more would compete for its cores.
_THREADS = 2


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
        Consumed in the caller's thread.
    depth : int
        Number of jobs submitted ahead.
    threads : int
        Number of threads.
    initializer : callable, optional
        Called first in each thread.
    """
    jobs = iter(jobs)
    first = list(islice(jobs, 2))
    if len(first) == 1:
        yield function(first[0])
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(
        threads, thread_name_prefix="sktransfer", initializer=initializer
    ) as pool:
        try:
            for job in chain(first, jobs):
                waiting.append(pool.submit(function, job))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
