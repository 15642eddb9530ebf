"""Plan of a call: cached rows, and rows to compute."""

import numpy as np

from sktransfer.cache import open_cache
from sktransfer.compute import Batch, RowPlan


def test_rows_written_by_another_job_are_omitted(tmp_path):
    cache = open_cache(tmp_path)
    digests = [bytes([n]) * 16 for n in range(6)]
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    plan = RowPlan(cache, b"s" * 16, digests, 2)
    assert plan.todo == [0, 1, 2, 3, 4, 5]
    cache.write(b"s" * 16, [digests[1], digests[4]], rows[[1, 4]])
    batches = [Batch([5, 4, 1, 0], ["f", "e", "b", "a"]), Batch([4]), Batch([]), Batch([3])]
    left = list(plan.without_done(batches))
    assert left == [Batch([5, 0], ["f", "a"]), Batch([3])]
    plan.fill([([0, 2, 3, 5], rows[[0, 2, 3, 5]])])
    np.testing.assert_array_equal(plan.rows(), rows)
