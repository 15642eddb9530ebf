"""Results computed in threads ahead of the consumer."""

import gc
import threading

import pytest

from sktransfer.compute._parallel import prefetch
from tests._jobs import our_threads

PATIENCE = 20  # timeout in seconds for events that should happen immediately


def test_two_threads_compute_results_in_order():
    both_at_work = threading.Barrier(2)
    first_computed = threading.Event()
    threads = set()

    def compute(job):
        threads.add(threading.current_thread().name)
        if job < 2:
            both_at_work.wait(PATIENCE)  # fails unless two are computed at the same time
        if job == 0:
            assert first_computed.wait(PATIENCE)
        if job == 1:
            first_computed.set()  # so the second is computed before the first
        return job * 10

    assert list(prefetch(compute, range(20))) == [job * 10 for job in range(20)]
    assert len(threads) == 2
    assert threading.current_thread().name not in threads
    assert our_threads() == []


def test_the_next_results_are_computed_while_the_consumer_works():
    made = [threading.Event() for _ in range(50)]
    results = prefetch(lambda job: made[job].set(), range(50))
    next(results)
    assert all(event.wait(PATIENCE) for event in made[:4])  # the consumer is still at the first
    assert not any(event.is_set() for event in made[10:])  # and memory is bounded
    results.close()


def test_an_error_is_raised_after_the_results_before_it():
    def compute(job):
        if job >= 3:
            raise KeyError(job)
        return job

    results, seen = prefetch(compute, range(10)), []
    with pytest.raises(KeyError, match="3"):
        seen.extend(results)  # list.extend keeps the items before the error
    assert seen == [0, 1, 2]
    assert our_threads() == []


@pytest.mark.parametrize("abandon", ["close", "forget"])
def test_an_abandoned_iterator_leaves_no_thread(abandon):
    results = prefetch(lambda job: job, range(1000))
    next(results)
    assert our_threads()
    if abandon == "close":
        results.close()
    del results
    gc.collect()
    assert our_threads() == []
