"""Warnings are ignored within a block only, also where blocks of several threads overlap."""

import warnings
from contextlib import ExitStack

from sktransfer._warnings import warnings_ignored


def test_blocks_that_end_in_the_wrong_order_leave_the_filters_as_they_were():
    before = list(warnings.filters)
    with ExitStack() as first, ExitStack() as second, ExitStack() as foreign:
        first.enter_context(warnings_ignored())
        second.enter_context(warnings_ignored())
        foreign.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
        first.close()
        second.close()
        foreign.close()
    assert warnings.filters == before
