"""Damage to the data file causes no wrong row, no exception and no crash."""

import os
import random
import re
import sqlite3
import warnings

import numpy as np
import pytest

from sktransfer.cache import NoCache, cache_info, clear_cache, open_cache
from sktransfer.exceptions import CacheWarning

ID_OF = "SELECT id FROM rows WHERE key = ?"


@pytest.fixture
def data(folder):
    return folder / "v3" / "features.sqlite"


@pytest.fixture
def filled(cache, space, digests, rows_of, data):
    """Return a cache that was filled and closed, as by another process."""
    cache.write(space, digests, rows_of(digests, 384))
    cache.write_file_digests(digests, digests)
    cache.database.close()
    return data


def flip_a_bit(data, row, offset):
    """Flip a bit in each copy of a row; free pages keep their content."""
    content = bytearray(data.read_bytes())
    at = content.find(row.tobytes())
    assert at > 0
    while at > 0:
        content[at + offset] ^= 1
        at = content.find(row.tobytes(), at + 1)
    data.write_bytes(content)


def test_a_flipped_bit_in_a_row_makes_it_a_miss(filled, folder, space, digests, rows_of):
    rows = rows_of(digests, 384)
    flip_a_bit(filled, rows[7], 700)
    read, found = open_cache(folder).read(space, digests, 384)
    np.testing.assert_array_equal(np.flatnonzero(~found), [7])
    assert np.isnan(read[7]).all()
    np.testing.assert_array_equal(read[found], rows[found])


def test_a_damaged_row_is_repaired_by_writing_it_again(filled, folder, space, digests, rows_of):
    rows = rows_of(digests, 384)
    flip_a_bit(filled, rows[7], 0)
    cache = open_cache(folder)
    cache.write(space, [digests[7]], rows[[7]])
    assert cache.read(space, digests, 384)[1].all()


def test_a_flipped_bit_in_a_checksum_makes_its_row_a_miss(filled, folder, space, digests, rows_of):
    flip_a_bit(filled, rows_of(digests, 384)[7], -1)
    assert np.flatnonzero(~open_cache(folder).read(space, digests, 384)[1]) == [7]


def test_a_row_under_another_key_is_a_miss(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    with cache.database.transaction(write=True) as connection:
        value = "(SELECT value FROM rows WHERE key = ?)"
        keys = space + digests[0], space + digests[1]
        connection.execute(f"UPDATE rows SET value = {value} WHERE key = ?", keys)
    assert np.flatnonzero(~cache.read(space, digests, 8)[1]) == [1]


def test_a_row_of_another_length_or_type_is_a_miss(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    for value in (*map(bytes, (0, 7, 8, 39, 41)), None, 5, 1.5, "x" * 40):
        with cache.database.transaction(write=True) as connection:
            (number,) = connection.execute(ID_OF, [space + digests[0]]).fetchone()
            connection.execute("UPDATE rows SET value = ? WHERE id = ?", (value, number))
        assert np.flatnonzero(~cache.read(space, digests, 8)[1]) == [0]


def test_a_flipped_bit_in_a_file_digest_makes_it_a_miss(cache, digests):
    cache.write_file_digests(digests, digests)
    with cache.database.transaction(write=True) as connection:
        (number,) = connection.execute(ID_OF, [bytes(16) + digests[0]]).fetchone()
        select = "SELECT value FROM rows WHERE id = ?"
        value = bytearray(connection.execute(select, [number]).fetchone()[0])
        value[-1] ^= 1
        connection.execute("UPDATE rows SET value = ? WHERE id = ?", (bytes(value), number))
    assert cache.read_file_digests(digests[:2]) == [None, digests[1]]


def garbage(content):
    return np.random.default_rng(0).bytes(len(content))


def start_of(size):
    return pytest.param(lambda content: content[:size], id=f"first {size} bytes")


@pytest.mark.parametrize("damage", [garbage, start_of(99), start_of(4096)])
def test_a_damaged_file_disables_the_cache_until_it_is_cleared(
    filled, folder, space, digests, rows_of, damage
):
    filled.write_bytes(damage(filled.read_bytes()))
    with pytest.warns(CacheWarning, match=r"sktransfer\.clear_cache") as warned:
        assert isinstance(open_cache(folder), NoCache)
    assert str(folder) in str(warned[0].message)
    clear_cache(folder)
    cache = open_cache(folder)
    cache.write(space, digests, rows_of(digests, 8))
    assert cache.read(space, digests, 8)[1].all()


@pytest.mark.parametrize("size", [8192, 12_288, 50_000, 150_000])
def test_a_truncated_file_warns_when_used_until_it_is_cleared(
    filled, folder, space, digests, rows_of, size
):
    filled.write_bytes(filled.read_bytes()[:size])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        read, found = open_cache(folder).read(space, digests, 384)
        open_cache(folder).write(space, digests, rows_of(digests, 384))
    assert re.search(r"sktransfer\.clear_cache", str(warned[0].message))
    np.testing.assert_array_equal(read[found], rows_of(digests, 384)[found])
    clear_cache(folder)
    open_cache(folder).write(space, digests, rows_of(digests, 8))
    assert open_cache(folder).read(space, digests, 8)[1].all()


@pytest.mark.parametrize("size", [0, 1])
def test_an_empty_file_is_an_empty_cache(filled, folder, space, digests, rows_of, size):
    filled.write_bytes(filled.read_bytes()[:size])
    cache = open_cache(folder)
    assert not cache.read(space, digests, 384)[1].any()
    cache.write(space, digests, rows_of(digests, 384))
    assert cache.read(space, digests, 384)[1].all()


@pytest.mark.parametrize("size", [0, 4096, 8192, 50_000])
def test_a_file_truncated_while_open_gives_no_wrong_row(cache, space, digests, rows_of, data, size):
    cache.write(space, digests, rows_of(digests, 384))
    os.truncate(data, size)
    with warnings.catch_warnings(action="ignore"):
        read, found = cache.read(space, digests, 384)
        np.testing.assert_array_equal(read[found], rows_of(digests, 384)[found])
        cache.write(space, digests, rows_of(digests, 384))
        read, found = cache.read(space, digests, 384)
        np.testing.assert_array_equal(read[found], rows_of(digests, 384)[found])


@pytest.mark.parametrize("name", ["features.sqlite-wal", "features.sqlite-shm"])
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_log_of_a_killed_process_gives_no_wrong_row(
    run, folder, space, digests, rows_of, name, seed
):
    run("""
cache = open_cache(folder)
for i in range(0, 100, 10):
    cache.write(space, [digest(j) for j in range(i, i + 10)], np.stack([row(j) for j in range(i, i + 10)]))
os._exit(0)
""")
    path = folder / "v3" / name
    content = bytearray(path.read_bytes())
    choice = random.Random(seed)
    for _ in range(10 ** choice.randrange(4)):
        content[choice.randrange(len(content))] = choice.randrange(256)
    path.write_bytes(content)
    asked = [i.to_bytes(16, "big") for i in range(100)]
    right = np.stack([np.random.default_rng(i).random(384, dtype=np.float32) for i in range(100)])
    with warnings.catch_warnings(action="ignore"):
        read, found = open_cache(folder).read(space, asked, 384)
        open_cache(folder).write(space, asked, right)
    np.testing.assert_array_equal(read[found], right[found])
    assert found.all() or name.endswith("wal")


@pytest.mark.parametrize("seed", range(12))
def test_overwritten_pages_never_give_a_wrong_row(filled, folder, space, digests, rows_of, seed):
    """Damage in the tree, which no checksum covers, is an error or a miss."""
    content = bytearray(filled.read_bytes())
    choice = random.Random(seed)
    page = 4096 * choice.randrange(1, len(content) // 4096)
    content[page : page + 4096] = choice.randbytes(4096)
    filled.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        cache = open_cache(folder)
        read, found = cache.read(space, digests, 384)
        np.testing.assert_array_equal(read[found], rows_of(digests, 384)[found])
        cache.write(space, digests, rows_of(digests, 384))
        cache_info(folder)
        clear_cache(folder)
    assert cache_info(folder).rows == 0


def test_the_file_is_reopened_after_an_error(cache, space, digests, rows_of, monkeypatch):
    cache.write(space, digests, rows_of(digests, 8))
    opened = cache.database._connection

    def fail(connection, what, values):
        raise sqlite3.OperationalError("out of order")

    with monkeypatch.context() as broken:
        broken.setattr("sktransfer.cache._sqlite_cache._select", fail)
        with pytest.warns(CacheWarning, match="out of order"):
            assert not cache.read(space, digests, 8)[1].any()
    assert cache.read(space, digests, 8)[1].all()
    assert cache.database._connection is not opened


def test_rows_are_written_after_one_of_the_largest_number(cache, space, digests, rows_of):
    with cache.database.transaction(write=True) as connection:
        connection.execute("INSERT INTO rows VALUES (?, ?, ?)", (2**63 - 1, b"key", b""))
    cache.write(space, digests, rows_of(digests, 8))
    np.testing.assert_array_equal(cache.read(space, digests, 8)[0], rows_of(digests, 8))
