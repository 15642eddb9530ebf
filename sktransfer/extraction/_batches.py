"""How rows are put together for the network."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")

# On a CPU, small batches stay in its cache; a GPU needs large ones to be busy. Time per image at
# 4, 6 and 8 images: 0.81, 0.85, 1 (EfficientNet-Lite0), 1.09, 1.05, 1 (ResNet-18) in float32.
CPU_IMAGES, GPU_IMAGES = 6, 64
CPU_TOKENS, GPU_TOKENS = 1_000, 16_384


def even(size: int, total: int, streams: int) -> int:
    """Return a size of batches, at most `size`, of which all streams get as many.

    What fits into one batch stays one: it is soon done on all threads.

    Examples
    --------
    >>> even(8, total=20, streams=2)
    5
    """
    if streams == 1 or total <= size:
        return size
    rounds = math.ceil(total / (size * streams))
    return math.ceil(total / (rounds * streams))


def mixed(things: Sequence[Thing]) -> list[Thing]:
    """Return them in another order each time, in each process and thread."""
    return random.Random().sample(things, len(things))


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
