"""Steps of the training of towers."""

from types import SimpleNamespace

import numpy as np
import pytest

from sktransfer.recommend._towers import Histories
from sktransfer.recommend._train_towers import _Steps


@pytest.mark.parametrize("n", [1, 2, 9])
def test_histories_are_cut_at_a_time_or_at_random(n):
    histories = Histories.from_lists([np.arange(n)])
    params = SimpleNamespace(batch_size=1, half_life=None)
    steps = _Steps(histories, n, params, np.random.RandomState(0))
    in_time = 0
    for _ in range(300):
        first, later = steps._cut(n)
        assert sorted([*first, *later]) == [*range(n)]
        assert len(later) > 0
        assert (np.diff(first) > 0).all()  # the latest is the last, as half_life needs it
        is_in_time = not len(first) or first.max() < later.min()
        assert is_in_time or len(first) >= n // 2
        in_time += is_in_time
    assert in_time == 300 if n == 1 else 90 < in_time < 250
