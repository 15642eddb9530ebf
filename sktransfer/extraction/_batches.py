"""How rows are put together for the network, and prepared while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Job = TypeVar("Job")
Made = TypeVar("Made")

# On a CPU small batches stay in its cache; a GPU wants large ones to be busy.
CPU_IMAGES, GPU_IMAGES = 8, 64
CPU_TOKENS, GPU_TOKENS = 1_000, 16_384

# Two threads decode as fast as a CPU computes; more would take its cores away.
_DECODERS = 2


def equal_batches(rows: Sequence[int], size: int) -> list[Sequence[int]]:
    """Cut rows into batches of `size`, the last one shorter."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def sorted_batches(lengths: Sequence[int], size: int) -> list[Sequence[int]]:
    """Group `size` texts of like length, the longest first, so that little is padding."""
    longest_first = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return equal_batches(longest_first, size)


def token_batches(lengths: Sequence[int], budget: int) -> list[Sequence[int]]:
    """Group texts of like length up to a number of tokens.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each text.
    budget : int
        Most tokens of a batch, padding included; a longer text is a batch of its own.

    Returns
    -------
    list of sequences of int
        Positions, the longest texts first.

    Examples
    --------
    >>> token_batches([3, 50, 4, 3], budget=10)
    [[1], [2, 0], [3]]
    """
    longest_first = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    batches: list[Sequence[int]] = []
    while longest_first:
        size = max(1, budget // max(1, lengths[longest_first[0]]))
        batches.append(longest_first[:size])
        longest_first = longest_first[size:]
    return batches


def prepared(
    make: Callable[[Job], Made], jobs: Iterable[Job], ahead: int = 2 * _DECODERS
) -> Iterator[Made]:
    """Yield ``make(job)`` for each job, in order, made in threads a few jobs ahead.

    A single job is done at once, here: there is nothing to be ahead of.
    """
    jobs = iter(jobs)
    first = list(islice(jobs, 2))
    if len(first) == 1:
        yield make(first[0])
        return
    jobs = chain(first, jobs)
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(_DECODERS, thread_name_prefix="sktransfer") as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(make, job))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
