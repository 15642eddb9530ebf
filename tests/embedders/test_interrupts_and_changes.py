"""Interrupts and changing files never give a wrong row."""

import pytest

from tests.faults.table import EMBEDDER_FAULTS
from tests.faults.trials import CRASHED, RIGHT, WRONG

TRIALS = {
    "rewritten with the same size and time": 20,
    "changed between digest and decoding": 2,
    "KeyboardInterrupt at random moments": 20,
    "out of memory above a batch size": 6,
}

# In a process that has run many other tests, its child sometimes ends before it reports.
SLOW = "KeyboardInterrupt at random moments"
FAULTS = [
    pytest.param(fault, id=name, marks=[pytest.mark.slow] if name == SLOW else [])
    for fault, name in zip(EMBEDDER_FAULTS, TRIALS, strict=True)
]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it forks
@pytest.mark.parametrize("fault", FAULTS)
def test_rows_are_correct_despite(fault):
    counts = fault.run(TRIALS[fault.name], 1)
    assert counts[WRONG] == counts[CRASHED] == 0, counts
    assert counts[RIGHT] > 0, "the fault was never hit"
