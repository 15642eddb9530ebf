"""Things are made in threads, ahead of whoever takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Job = TypeVar("Job")
Made = TypeVar("Made")

# Two threads decode as fast as a CPU computes; more would take its cores away.
_DECODERS = 2


def ahead(
    make: Callable[[Job], Made],
    jobs: Iterable[Job],
    by: int = 2 * _DECODERS,
    *,
    threads: int = _DECODERS,
    begin: Callable[[], None] | None = None,
) -> Iterator[Made]:
    """Yield ``make(job)`` for each job, in order, made in threads a few jobs ahead.

    A single job is done at once, here: there is nothing to be ahead of.

    Parameters
    ----------
    make : callable
        Called in several threads.
    jobs : iterable
        Taken from in the caller's thread.
    by : int
        How many jobs ahead.
    threads : int
        How many make them.
    begin : callable, optional
        What each thread does first.
    """
    jobs = iter(jobs)
    first = list(islice(jobs, 2))
    if len(first) == 1:
        yield make(first[0])
        return
    jobs = chain(first, jobs)
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="sktransfer", initializer=begin) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(make, job))
                if len(waiting) > by:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
