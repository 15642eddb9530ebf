"""Several processes on one cache, some of which are killed."""

import os
import random
import signal
import threading
import time
import traceback

import numpy as np
import pytest

from sktransfer.cache import clear_cache, open_cache

DIGESTS = [i.to_bytes(16, "big") for i in range(400)]

WRITE_AND_READ = """
cache = open_cache(folder)
def work(seed):
    choice = np.random.default_rng(seed)
    for _ in range(10):
        some = choice.choice(400, 50).tolist()
        cache.write(space, [digest(i) for i in some], np.stack([row(i) for i in some]))
        some = choice.choice(400, 50).tolist()
        rows, found = cache.read(space, [digest(i) for i in some], 384)
        for i, r, f in zip(some, rows, found):
            assert not f or (r == row(i)).all()
threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
failed = []
threading.excepthook = lambda args: failed.append(args)
for t in threads: t.start()
for t in threads: t.join()
assert not failed, failed
"""

WRITE_FOR_EVER = """
cache = open_cache(folder)
i = 0
while True:
    some = [(i + j) % 400 for j in range(20)]
    cache.write(space, [digest(j) for j in some], np.stack([row(j) for j in some]))
    if i == 0: say("ready")
    i += 20
"""


@pytest.fixture
def right(rows_of):
    return rows_of(DIGESTS, 384)


def test_two_processes_of_four_threads_share_a_cache(start, folder, space, right):
    for process in [start(WRITE_AND_READ) for _ in range(2)]:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert errors == ""
    rows, found = open_cache(folder).read(space, DIGESTS, 384)
    assert found.sum() > 300
    np.testing.assert_array_equal(rows[found], right[found])


def test_a_process_killed_during_a_write_leaves_a_valid_cache(start, folder, space, right):
    choice = random.Random(0)
    for _ in range(10):
        process = start(WRITE_FOR_EVER)
        assert process.stdout.readline() == "ready\n"
        time.sleep(choice.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.wait()
        cache = open_cache(folder)
        rows, found = cache.read(space, DIGESTS, 384)
        np.testing.assert_array_equal(rows[found], right[found])
        cache.write(space, DIGESTS[:7], right[:7])
        assert cache.read(space, DIGESTS[:7], 384)[1].all()
    assert found.sum() > 20
    with cache.database.transaction(write=False) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [(b"ok",)]


def in_a_child(work):
    """Fork, work, and return whether the child succeeded."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_opens_its_own_connection(cache, space, right):
    cache.write(space, DIGESTS[:200], right[:200])
    of_the_parent = cache.database._connection

    def work():
        rows, found = cache.read(space, DIGESTS, 384)
        assert found.sum() == 200
        np.testing.assert_array_equal(rows[:200], right[:200])
        cache.write(space, DIGESTS[200:], right[200:])
        assert cache.database._connection is not of_the_parent
        assert open_cache(cache.folder) is cache

    assert in_a_child(work)
    rows, found = cache.read(space, DIGESTS, 384)
    assert found.all()
    np.testing.assert_array_equal(rows, right)


def test_forking_while_threads_use_the_cache_is_safe(cache, space, right):
    cache.write(space, DIGESTS, right)
    done = threading.Event()
    wrong = []

    def work():
        while not done.is_set():
            rows, found = cache.read(space, DIGESTS, 384)
            cache.write(space, DIGESTS[:50], right[:50])
            if not (found.all() and np.array_equal(rows, right)):
                wrong.append(rows)

    def in_child():
        rows, found = cache.read(space, DIGESTS, 384)
        assert found.all()
        np.testing.assert_array_equal(rows, right)
        cache.write(space, DIGESTS[:50], right[:50])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert all(in_a_child(in_child) for _ in range(10))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_cache_cleared_by_another_process_is_empty_here_too(run, cache, space, right):
    cache.write(space, DIGESTS, right)
    run("clear_cache(folder)")
    assert not cache.read(space, DIGESTS, 384)[1].any()
    cache.write(space, DIGESTS[:5], right[:5])
    assert run("say(cache_info(folder).rows)") == "5\n"


def test_a_cache_cleared_while_processes_write_stays_valid(start, folder, space, right):
    processes = [start(WRITE_FOR_EVER) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for _ in range(20):
        clear_cache(folder)
        rows, found = open_cache(folder).read(space, DIGESTS, 384)
        np.testing.assert_array_equal(rows[found], right[found])
        time.sleep(0.01)
    for process in processes:
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        assert errors == ""


def test_a_process_with_a_larger_limit_does_not_block_others(
    run, folder, space, right, monkeypatch
):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "1 MB")
    cache = open_cache(folder)
    cache.write(space, DIGESTS[:5], right[:5])
    run(
        """
many = range(1000, 1090)
cache = open_cache(folder)
cache.write(space, [digest(i) for i in many], np.zeros((90, 250_000), np.float32))
""",
        SKTRANSFER_CACHE_LIMIT="1GB",
    )
    assert cache.read(space, DIGESTS[:5], 384)[1].all()
    later = time.time() + 10  # so that the rows of the other process are evicted first
    monkeypatch.setattr(time, "time", lambda: later)
    cache.write(space, DIGESTS[5:9], right[5:9])
    assert cache.read(space, DIGESTS[5:9], 384)[1].all()
