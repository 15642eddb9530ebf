"""Assignment of rows to batches."""

import numpy as np
import pytest

from sktransfer.compute._batching import (
    budget_batches,
    equal_batches,
    even_size,
    longest_first,
    shuffled,
)

LENGTHS = [int(n) for n in np.random.default_rng(0).integers(1, 60, 200)] + [500, 400, 1]


def flat(batches):
    return [i for batch in batches for i in batch]


def test_equal_batches_preserve_order_and_end_with_a_shorter_one():
    assert equal_batches([5, 6, 7, 8, 9], 2) == [[5, 6], [7, 8], [9]]
    assert equal_batches([5, 6], 2) == [[5, 6]]
    assert equal_batches([], 2) == []


@pytest.mark.parametrize(
    "batches",
    [equal_batches(longest_first(LENGTHS), 7), budget_batches(LENGTHS, 128)],
    ids=["size", "budget"],
)
def test_every_row_is_in_one_batch_and_the_longest_come_first(batches):
    assert sorted(flat(batches)) == list(range(len(LENGTHS)))
    lengths = [LENGTHS[i] for i in flat(batches)]
    assert lengths == sorted(lengths, reverse=True)


def test_sorted_batches_have_equal_sizes():
    assert {len(batch) for batch in equal_batches(longest_first(LENGTHS), 7)[:-1]} == {7}


@pytest.mark.parametrize("budget", [1, 128, 1000, 10**6])
def test_budget_batches_fill_their_budget_including_padding(budget):
    batches = budget_batches(LENGTHS, budget)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * LENGTHS[batch[0]] <= budget
    for batch in batches[:-1]:
        assert (len(batch) + 1) * LENGTHS[batch[0]] > budget


def test_rows_of_length_0_and_zero_rows_are_batched():
    assert sorted(flat(budget_batches([0, 0, 3], 4))) == [0, 1, 2]
    assert budget_batches([], 4) == equal_batches(longest_first([]), 4) == []


@pytest.mark.parametrize("parallelism", [1, 2, 3, 4])
@pytest.mark.parametrize("total", [0, 1, 7, 8, 9, 20, 33, 100, 1000])
def test_parallel_streams_get_equal_numbers_of_batches(parallelism, total):
    size = even_size(8, total, parallelism)
    assert 1 <= size <= 8
    batches = -(-total // size)
    if total <= 8 or parallelism == 1:
        assert size == 8
    else:
        # At most one round of batches is incomplete.
        assert -(-batches // parallelism) == -(-total // (8 * parallelism))


def test_shuffled_items_are_the_same_in_another_order_each_time():
    items = list(range(50))
    first, second = shuffled(items), shuffled(items)
    assert sorted(first) == sorted(second) == items
    assert len({tuple(order) for order in (items, first, second)}) == 3
