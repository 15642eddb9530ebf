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


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it forks
@pytest.mark.parametrize("fault", EMBEDDER_FAULTS, ids=list(TRIALS))
def test_rows_are_correct_despite(fault):
    counts = fault.run(TRIALS[fault.name], 1)
    assert counts[WRONG] == counts[CRASHED] == 0, counts
    assert counts[RIGHT] > 0, "the fault was never hit"
