"""The limit, and which rows go when it is reached."""

import os
from itertools import pairwise

import lmdb
import numpy as np
import pytest

from sktransfer.cache import _eviction, _store, cache_info, open_cache
from sktransfer.cache._limit import parse_size
from sktransfer.exceptions import CacheWarning

MB = 1000**2


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set; in seconds."""
    time = [1_800_000_000.0]
    for module in (_store, _eviction):
        monkeypatch.setattr(module, "now", lambda: time[0])
    return time


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
    """How many are kept, without using them: that would change which go next."""
    with cache.environment.reading() as tables:
        return len(tables.get(b"rows", [space + digest for digest in digests]))


def test_the_data_stays_under_the_limit(small, space, clock):
    for _ in range(12):
        clock[0] += 1
        newest = write(small, space, 100)
        info = cache_info(small.folder)
        assert info.size <= info.limit == MB
    assert found(small, space, newest).all()
    assert info.rows > 180


def test_making_room_leaves_a_fifth_of_the_limit(small, space, clock):
    while cache_info(small.folder).size < 0.95 * MB:
        write(small, space, 10)
    write(small, space, 60)
    assert 0.7 * MB < cache_info(small.folder).size <= 0.8 * MB


def test_rows_unused_for_longest_go_first(small, space, clock):
    ages = []
    for _ in range(4):
        clock[0] += 10
        ages.append(write(small, space, 50))
    clock[0] += 2 * 3600
    assert found(small, space, ages[0]).all()  # used again, so no longer the oldest
    clock[0] += 10
    kept = [50] * 4
    while sum(kept) == 200:  # until some had to go
        write(small, space, 10)
        kept = [count(small, space, age) for age in ages]
    by_use = [*kept[1:], kept[0]]
    assert by_use[0] < 50
    for older, younger in pairwise(by_use):
        assert older == 0 or younger == 50


def test_a_use_is_noted_once_an_hour(cache, space, clock):
    digests = write(cache, space, 10)
    key = space + digests[0]

    def stamp():
        with cache.environment.reading() as tables:
            return tables.get(b"used", [key])[key]

    first = stamp()
    clock[0] += 3000
    cache.read(space, digests, 384)
    assert stamp() == first
    clock[0] += 1000
    cache.read(space, digests, 384)
    assert int.from_bytes(stamp(), "big") == clock[0]


def test_a_row_that_was_not_found_gets_no_stamp(cache, space, clock):
    cache.read(space, [bytes(16)], 384)
    with cache.environment.reading() as tables:
        assert tables.count(b"used") == 0


def test_every_row_has_a_stamp_and_every_stamp_a_row(small, space, clock):
    for _ in range(10):
        clock[0] += 4000
        found(small, space, write(small, space, 80))
    with small.environment.reading() as tables:
        keys = set(tables.last_uses()["key"].tolist())
        assert len(keys) == tables.count(b"rows") == tables.count(b"used")
        assert len(tables.get(b"rows", [bytes(key) for key in keys])) == len(keys)


def test_rows_without_a_stamp_go_when_room_is_needed(small, space):
    while cache_info(small.folder).size < 0.9 * MB:
        write(small, space, 10)
    with small.environment.writing() as tables:
        tables.empty(b"used")
    write(small, space, 100)
    assert cache_info(small.folder).size <= 0.8 * MB


def test_more_rows_than_the_limit_in_one_call(small, space):
    digests = write(small, space, 5000)
    assert 0 < found(small, space, digests).sum() < 700
    assert cache_info(small.folder).size <= MB


def test_a_single_row_beyond_the_limit_is_not_kept(small, space):
    digests = write(small, space, 1, width=500_000)
    assert not found(small, space, digests, 500_000).any()
    assert cache_info(small.folder).rows == 0


def test_a_row_larger_than_the_map_is_a_warning(small, space):
    with pytest.warns(CacheWarning, match="MAP_FULL"):
        digests = write(small, space, 1, width=20_000_000)
    assert not found(small, space, digests, 20_000_000).any()


def test_a_full_map_is_emptied_a_little_and_tried_again(cache, space, monkeypatch, clock):
    oldest = write(cache, space, 200)
    clock[0] += 10
    youngest = write(cache, space, 200)
    put, full = cache._put, [lmdb.MapFullError("full")]

    def put_or_full(items):
        if full:
            raise full.pop()
        return put(items)

    monkeypatch.setattr(cache, "_put", put_or_full)
    cache.environment.limit = cache_info(cache.folder).size * 9 // 10
    assert found(cache, space, write(cache, space, 1)).all()
    assert not found(cache, space, oldest).all()
    assert found(cache, space, youngest).all()


def test_the_memo_of_files_does_not_take_the_place_of_rows(small, space):
    rows = write(small, space, 200)
    for _ in range(20):
        keys = [os.urandom(16) for _ in range(1000)]
        small.write_file_digests(keys, keys)
    assert small.read_file_digests(keys) in (keys, [None] * 1000)
    assert found(small, space, rows).any()
    assert cache_info(small.folder).size <= MB


def test_rows_are_removed_in_short_transactions(small, space, monkeypatch):
    monkeypatch.setattr(_eviction, "_BATCH", 7)
    write(small, space, 400)
    write(small, space, 100)
    assert cache_info(small.folder).size <= MB


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10GB", 10**10),
        ("500 MB", 500 * MB),
        ("1.5 gb", 1_500_000_000),
        ("2GiB", 2 * 1024**3),
        ("64k", 64_000),
        ("4096", 4096),
        ("4096 B", 4096),
        (" 1TB ", 10**12),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["much", "10 apples", "-1", "0", "1e9", "GB", "1,5GB", "nan"])
def test_a_bad_limit_is_a_clear_error(folder, monkeypatch, text):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", text)
    with pytest.raises(ValueError, match="SKTRANSFER_CACHE_LIMIT must be a size"):
        open_cache(folder)
    assert not folder.exists()


def test_the_limit_is_10_gb_and_follows_the_environment(folder, monkeypatch):
    open_cache(folder)
    assert cache_info(folder).limit == 10**10
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "20 GB")
    cache = open_cache(folder)
    assert cache_info(folder).limit == 2 * 10**10
    with cache.environment.reading():
        assert cache.environment._lmdb.info()["map_size"] > 2 * 10**10


def test_an_empty_limit_is_the_default(folder, monkeypatch):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "  ")
    assert cache_info(folder).limit == 10**10
