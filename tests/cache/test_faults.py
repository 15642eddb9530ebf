"""Accidents and attacks on the cache cause no wrong row and no crash.

Many more of the same trials: ``python -m tests.faults``.
"""

import os
import signal
import time

import pytest

from tests.faults.table import CACHE_FAULTS
from tests.faults.trials import CRASHED, NOT_HIT, RIGHT, WRONG, count, in_child

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it forks


@pytest.mark.parametrize("fault", CACHE_FAULTS, ids=[fault.name for fault in CACHE_FAULTS])
def test_no_row_is_wrong_and_no_process_crashes_after(fault):
    if not fault.needs():
        pytest.skip("this machine, or this user, cannot have it")
    counts = fault.run(max(2, fault.trials // 60), 1)
    assert counts[WRONG] == counts[CRASHED] == 0, counts
    assert counts[RIGHT] > 0, "the fault was never hit"


@pytest.mark.slow
@pytest.mark.parametrize("fault", CACHE_FAULTS, ids=[fault.name for fault in CACHE_FAULTS])
def test_no_row_is_wrong_and_no_process_crashes_after_many(fault):
    if not fault.needs():
        pytest.skip("this machine, or this user, cannot have it")
    counts = fault.run(fault.trials, 2)
    assert counts[WRONG] == counts[CRASHED] == 0, counts


def _dies():
    os.kill(os.getpid(), signal.SIGKILL)


def _hangs():
    time.sleep(60)


def _fails():
    raise ValueError("no")


@pytest.mark.parametrize("work", [_dies, _hangs, _fails])
def test_a_trial_that_dies_hangs_or_raises_counts_as_a_crash(work):
    counts = count(lambda number: in_child(work, patience=0.2), 2)
    assert counts == {CRASHED: 2, "trials": 2}


def test_outcomes_of_trials_are_distinguished():
    outcomes = [RIGHT, WRONG, NOT_HIT]
    counts = count(lambda number: in_child(lambda: outcomes[number]), 3)
    assert counts == {RIGHT: 1, WRONG: 1, NOT_HIT: 1, "trials": 3}
