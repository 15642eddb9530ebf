"""The size limit, and the order in which rows are evicted."""

import os
import warnings
from itertools import pairwise

import numpy as np
import pytest

from sktransfer.cache import _sqlite_cache, cache_info, open_cache

MB = 1000**2


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


def stored(cache):
    """Return the keys of the stored rows."""
    with cache.database.transaction(write=False) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM rows")}


def count(cache, space, digests):
    """Return the number of rows that are stored."""
    return len(stored(cache) & {space + digest for digest in digests})


def test_the_data_stays_below_the_limit(small, space):
    for _ in range(12):
        newest = write(small, space, 100)
        info = cache_info(small.folder)
        assert info.size <= info.limit == MB
    assert found(small, space, newest).all()
    assert info.rows > 180


def test_eviction_leaves_a_fifth_of_the_limit_free(small, space):
    while cache_info(small.folder).size < 0.95 * MB:
        write(small, space, 10)
    write(small, space, 60)
    assert 0.7 * MB < cache_info(small.folder).size <= 0.8 * MB


def test_the_rows_written_first_are_evicted_first(small, space):
    ages = [write(small, space, 50) for _ in range(4)]
    assert found(small, space, ages[0]).all()  # which makes no difference
    kept = [50] * 4
    while sum(kept) == 200:  # until some had to be evicted
        write(small, space, 10)
        kept = [count(small, space, age) for age in ages]
    assert kept[0] < 50
    for older, younger in pairwise(kept):
        assert older == 0 or younger == 50


def test_rows_written_again_are_not_the_oldest(small, space):
    digests = write(small, space, 100)
    others = write(small, space, 100)
    small.write(space, digests, np.ones((100, 384), np.float32))
    write(small, space, 400)
    assert count(small, space, others) <= count(small, space, digests)
    assert cache_info(small.folder).rows == len(stored(small))


def test_rows_that_cannot_be_removed_are_damage(small, space, monkeypatch):
    monkeypatch.setattr(_sqlite_cache, "_REMOVE_OLDEST", "DELETE FROM rows WHERE id < 0")
    write(small, space, 400)
    small.database.limit = 50_000
    with pytest.raises(OSError, match="cannot be removed"):
        small._make_room()


@pytest.mark.parametrize("limit", [5_000, 25_000, 35_000])
def test_a_limit_below_an_empty_database_keeps_no_row_and_is_no_error(folder, space, limit):
    cache = open_cache(folder)
    cache.database.limit = limit
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        digests = write(cache, space, 200)
    assert found(cache, space, digests).sum() < 10


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
