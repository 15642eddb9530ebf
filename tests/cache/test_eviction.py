"""The size limit, and the order in which rows are evicted."""

import os
import time
from itertools import pairwise

import numpy as np
import pytest

from sktransfer.cache import _eviction, cache_info, open_cache
from sktransfer.cache._eviction import make_room, stamp

MB = 1000**2


@pytest.fixture
def clock(monkeypatch):
    """Return a clock in seconds that stands still until it is set."""
    seconds = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: seconds[0])
    return seconds


@pytest.fixture
def small(folder, monkeypatch):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "1 MB")
    return open_cache(folder)


def write(cache, space, count, width=384):
    digests = [os.urandom(16) for _ in range(count)]
    cache.write(space, digests, np.ones((count, width), np.float32))
    return digests


def found(cache, space, digests, width=384):
    return cache.read(space, digests, width)[1]


def count(cache, space, digests):
    """Return the number of stored rows without using them, which would change the order of eviction."""
    return len(stored(cache) & {space + digest for digest in digests})


def stored(cache):
    """Return the keys of the stored rows."""
    select = "SELECT keys.key FROM keys JOIN rows USING (id)"
    with cache.database.transaction(write=False) as connection:
        return {key for (key,) in connection.execute(select)}


def test_the_data_stays_below_the_limit(small, space, clock):
    for _ in range(12):
        clock[0] += 1
        newest = write(small, space, 100)
        info = cache_info(small.folder)
        assert info.size <= info.limit == MB
    assert found(small, space, newest).all()
    assert info.rows > 180


def test_eviction_leaves_a_fifth_of_the_limit_free(small, space, clock):
    while cache_info(small.folder).size < 0.95 * MB:
        write(small, space, 10)
    write(small, space, 60)
    assert 0.7 * MB < cache_info(small.folder).size <= 0.8 * MB


def test_the_least_recently_used_rows_are_evicted_first(small, space, clock):
    ages = []
    for _ in range(4):
        clock[0] += 10
        ages.append(write(small, space, 50))
    clock[0] += 2 * 3600
    assert found(small, space, ages[0]).all()  # used again, so no longer the oldest
    clock[0] += 10
    kept = [50] * 4
    while sum(kept) == 200:  # until some had to be evicted
        write(small, space, 10)
        kept = [count(small, space, age) for age in ages]
    by_use = [*kept[1:], kept[0]]
    assert by_use[0] < 50
    for older, younger in pairwise(by_use):
        assert older == 0 or younger == 50


def test_the_time_of_use_is_updated_once_per_hour(cache, space, clock):
    digests = write(cache, space, 10)
    key = space + digests[0]

    def used():
        with cache.database.transaction(write=False) as connection:
            return connection.execute("SELECT used FROM keys WHERE key = ?", [key]).fetchone()[0]

    first = used()
    clock[0] += 3000
    cache.read(space, digests, 384)
    assert used() == first
    clock[0] += 1000
    cache.read(space, digests, 384)
    assert used() == clock[0]


def test_a_missing_row_gets_no_timestamp(cache, space, clock):
    cache.read(space, [bytes(16)], 384)
    assert cache_info(cache.folder).rows == 0


def test_every_key_has_a_row_and_every_row_a_key(small, space, clock):
    for _ in range(10):
        clock[0] += 4000
        found(small, space, write(small, space, 80))
        digests = write(small, space, 20)
        small.write(space, [*digests, *digests], np.zeros((40, 384), np.float32))
    with small.database.transaction(write=False) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM rows").fetchone()
    assert rows == len(stored(small)) == cache_info(small.folder).rows


def test_rows_without_a_key_are_evicted_when_space_is_needed(small, space):
    while cache_info(small.folder).size < 0.9 * MB:
        write(small, space, 10)
    with small.database.transaction(write=True) as connection:
        connection.execute("DELETE FROM keys")
    write(small, space, 100)
    assert cache_info(small.folder).size <= 0.8 * MB


def test_keys_that_cannot_be_removed_are_damage(small, space, monkeypatch):
    write(small, space, 100)
    small.database.limit = 50_000
    monkeypatch.setattr(_eviction, "_remove", lambda *args: None)
    with pytest.raises(OSError, match="cannot be removed"):
        make_room(small.database)


def test_one_call_can_write_more_rows_than_the_limit(small, space):
    digests = write(small, space, 5000)
    assert 0 < found(small, space, digests).sum() < 700
    assert cache_info(small.folder).size <= MB


def test_a_single_row_larger_than_the_limit_is_not_stored(small, space):
    digests = write(small, space, 1, width=500_000)
    assert not found(small, space, digests, 500_000).any()
    assert cache_info(small.folder).rows == 0


def test_a_row_larger_than_the_limit_evicts_no_others(small, space):
    digests = write(small, space, 100)
    write(small, space, 1, width=500_000)
    assert found(small, space, digests).all()


def test_file_digests_do_not_displace_rows(small, space):
    rows = write(small, space, 200)
    for _ in range(20):
        keys = [os.urandom(16) for _ in range(1000)]
        small.write_file_digests(keys, keys)
    known = small.read_file_digests(keys)
    assert all(digest in (key, None) for key, digest in zip(keys, known, strict=True))
    assert found(small, space, rows).any()
    assert cache_info(small.folder).size <= MB


def test_rows_are_removed_in_short_transactions(small, space, monkeypatch):
    monkeypatch.setattr(_eviction, "_MOST_REMOVED", 7)
    write(small, space, 400)
    write(small, space, 100)
    assert cache_info(small.folder).size <= MB


@pytest.mark.parametrize("seconds", [-1e9, 1e10, 1e300])
def test_a_timestamp_is_an_integer_that_can_be_stored(monkeypatch, seconds):
    monkeypatch.setattr(time, "time", lambda: seconds)
    assert 0 <= stamp() <= 2**32


def test_a_clock_in_a_distant_century_is_not_an_error(cache, space, digests, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1e11)
    cache.write(space, digests, np.ones((100, 8), np.float32))
    assert cache.read(space, digests, 8)[1].all()


def test_rows_with_timestamps_in_the_future_are_evicted_first(cache, space, clock):
    clock[0] = 2e9
    wrong = write(cache, space, 50)
    clock[0] = 1.8e9  # the clock is corrected
    right = write(cache, space, 50)
    cache.database.limit = 140_000
    make_room(cache.database)
    assert count(cache, space, wrong) == 0
    assert count(cache, space, right) > 10
