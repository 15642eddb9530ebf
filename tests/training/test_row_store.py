"""Rows of any shape in memory or in a temporary file."""

import pytest

from sktransfer.training._row_store import RowStore, size_of


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_store_keeps_rows_of_any_shape(on_disk):
    shapes = [(2, 3), (4, 3), (1, 3)]
    store = RowStore(shapes, on_disk)
    for number, shape in enumerate(shapes):
        store[number][...] = number + 1
        assert store[number].shape == shape
    together = store.take([2, 1])
    assert together.shape == (2, 4, 3)
    assert together.sum(axis=(1, 2)).tolist() == [9, 24]
    assert size_of(shapes) == 84
    uniform = RowStore([(2,)] * 3, on_disk)
    uniform[1][...] = 5
    assert uniform.take([1, 1]).tolist() == [[5, 5], [5, 5]]
