"""Which rows go through the network together."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def even_size(size: int, total: int, parallelism: int) -> int:
    """Return a batch size of at most `size`, such that all parallel streams get as many batches.

    What fits in one batch stays one: all threads finish it soon.

    Examples
    --------
    >>> even_size(8, total=20, parallelism=2)
    5
    """
    if parallelism == 1 or total <= size:
        return size
    rounds = math.ceil(total / (size * parallelism))
    return math.ceil(total / (rounds * parallelism))


def shuffled(items: Sequence[Item]) -> list[Item]:
    """Return the items in an order that differs in each call, process and thread."""
    return random.Random().sample(items, len(items))


def equal_batches(rows: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Cut rows into batches of `size`, the last one shorter."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def budget_batches(lengths: Sequence[int], budget: int) -> list[Sequence[int]]:
    """Group positions of similar length up to a total length.

    Parameters
    ----------
    lengths : sequence of int
        Length of each row, such as its number of tokens.
    budget : int
        Largest total length of a batch, padding included; a longer row is a batch of its own.

    Returns
    -------
    list of sequences of int
        Positions, the longest rows first.

    Examples
    --------
    >>> budget_batches([3, 50, 4, 3], budget=10)
    [[1], [2, 0], [3]]
    """
    left = longest_first(lengths)
    batches: list[Sequence[int]] = []
    while left:
        size = max(1, budget // max(1, lengths[left[0]]))
        batches.append(left[:size])
        left = left[size:]
    return batches


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Return positions by decreasing length, so that neighbours need little padding."""
    return sorted(range(len(lengths)), key=lambda position: -lengths[position])
