"""Whatever happens to the file: no wrong row, no exception, no crash."""

import os
import random
import warnings

import lmdb
import numpy as np
import pytest

from sktransfer.cache import LmdbCache, NoCache, cache_info, clear_cache, open_cache
from sktransfer.exceptions import CacheWarning


@pytest.fixture
def data(folder):
    return folder / "v1" / "data.mdb"


@pytest.fixture
def filled(cache, space, digests, rows_of, data):
    """A cache that was filled and closed, as another process would leave it."""
    cache.write(space, digests, rows_of(digests, 384))
    cache.write_file_digests(digests, digests)
    cache.environment.close()
    return data


def flip_a_bit(data, row, offset):
    """Flip a bit of each copy of a row; pages that are free keep what was in them."""
    content = bytearray(data.read_bytes())
    at = content.find(row.tobytes())
    assert at > 0
    while at > 0:
        content[at + offset] ^= 1
        at = content.find(row.tobytes(), at + 1)
    data.write_bytes(content)


def test_a_flipped_bit_in_a_row_is_a_row_not_found(filled, folder, space, digests, rows_of):
    rows = rows_of(digests, 384)
    flip_a_bit(filled, rows[7], 700)
    read, found = open_cache(folder).read(space, digests, 384)
    np.testing.assert_array_equal(np.flatnonzero(~found), [7])
    assert np.isnan(read[7]).all()
    np.testing.assert_array_equal(read[found], rows[found])


def test_a_damaged_row_is_mended_by_writing_it_again(filled, folder, space, digests, rows_of):
    rows = rows_of(digests, 384)
    flip_a_bit(filled, rows[7], 0)
    cache = open_cache(folder)
    cache.write(space, [digests[7]], rows[[7]])
    assert cache.read(space, digests, 384)[1].all()


def test_a_flipped_bit_in_a_checksum_is_a_row_not_found(filled, folder, space, digests, rows_of):
    flip_a_bit(filled, rows_of(digests, 384)[7], -1)
    assert np.flatnonzero(~open_cache(folder).read(space, digests, 384)[1]) == [7]


def test_a_row_under_the_key_of_another_is_not_found(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    with cache.environment.writing() as tables:
        values = tables.get(b"rows", [space + digests[0]])
        tables.put(b"rows", [(space + digests[1], values[space + digests[0]])])
    assert np.flatnonzero(~cache.read(space, digests, 8)[1]) == [1]


def test_a_row_cut_short_is_not_found(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    for length in (0, 7, 8, 39):
        with cache.environment.writing() as tables:
            tables.put(b"rows", [(space + digests[0], bytes(length))])
        assert np.flatnonzero(~cache.read(space, digests, 8)[1]) == [0]


def test_a_flipped_bit_in_the_digest_of_a_file_is_a_digest_not_known(cache, digests):
    cache.write_file_digests(digests, digests)
    with cache.environment.writing() as tables:
        value = bytearray(tables.get(b"files", digests[:1])[digests[0]])
        value[-1] ^= 1
        tables.put(b"files", [(digests[0], bytes(value))])
    assert cache.read_file_digests(digests[:2]) == [None, digests[1]]


def garbage(content):
    return np.random.default_rng(0).bytes(len(content))


def start_of(size):
    return pytest.param(lambda content: content[:size], id=f"first {size} bytes")


@pytest.mark.parametrize(
    "damage",
    [garbage, start_of(1), start_of(4096), start_of(8192), start_of(12_288), start_of(50_000)],
)
def test_a_damaged_file_is_no_cache_until_it_is_cleared(
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


def test_an_empty_file_is_an_empty_cache(filled, folder, space, digests, rows_of):
    filled.write_bytes(b"")
    cache = open_cache(folder)
    assert not cache.read(space, digests, 384)[1].any()
    cache.write(space, digests, rows_of(digests, 384))
    assert cache.read(space, digests, 384)[1].all()


@pytest.mark.parametrize("size", [0, 4096, 8192, 50_000])
def test_a_file_cut_short_while_it_is_open_is_noticed(cache, space, digests, rows_of, data, size):
    cache.write(space, digests, rows_of(digests, 384))
    os.truncate(data, size)  # to read the map behind it would kill this process
    with pytest.warns(CacheWarning, match="cut short|damaged"):
        assert not cache.read(space, digests, 384)[1].any()
    with warnings.catch_warnings(action="ignore"):
        cache.write(space, digests, rows_of(digests, 384))


def leave_a_tail_unwritten(environment):
    """Put and delete at random until LMDB leaves out free pages at the end of the file."""
    for seed in range(50):
        environment.remove()
        live = put_and_delete(environment, random.Random(seed))
        if environment._is_cut_short():
            return live
    return pytest.skip("this LMDB writes free pages too")


def put_and_delete(environment, choice):
    live = []
    for _ in range(50):
        with environment.writing() as tables:
            value = bytes(choice.choice([100, 1544, 5128]))
            for _ in range(choice.randrange(100)):
                if not live or choice.random() < 0.5:
                    live.append(choice.randbytes(32))
                    tables.put(b"rows", [(live[-1], value)])
                else:
                    tables.delete(b"rows", [live.pop(choice.randrange(len(live)))])
        if environment._is_cut_short():
            break
    return live


def test_free_pages_that_lmdb_never_wrote_are_no_damage(cache, folder, data, monkeypatch):
    """As when a process is killed between the end of a transaction and `_fill_tail`."""
    with monkeypatch.context() as killed:
        killed.setattr(cache.environment, "_fill_tail", lambda: None)
        live = leave_a_tail_unwritten(cache.environment)
    cache.environment.close()
    before = data.stat().st_size
    assert isinstance(open_cache(folder), LmdbCache)
    assert data.stat().st_size > before
    with cache.environment.reading() as tables:
        assert tables.count(b"rows") == len(live)


def test_every_write_leaves_a_file_of_full_length(cache):
    for seed in range(6):
        cache.environment.remove()
        put_and_delete(cache.environment, random.Random(seed))
        assert not cache.environment._is_cut_short()


@pytest.mark.parametrize("seed", range(12))
def test_overwritten_pages_never_give_a_wrong_row(filled, folder, space, digests, rows_of, seed):
    """Damage somewhere in the tree, which no checksum covers, is an error or a miss."""
    content = bytearray(filled.read_bytes())
    choice = random.Random(seed)
    page = 4096 * choice.randrange(2, len(content) // 4096)
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


def test_an_error_of_lmdb_opens_the_file_anew(cache, space, digests, rows_of, monkeypatch):
    cache.write(space, digests, rows_of(digests, 8))
    environment = cache.environment
    opened, begin = environment._lmdb, type(environment)._begin

    def panic(self, *, write):
        raise lmdb.PanicError("out of order")

    monkeypatch.setattr(type(environment), "_begin", panic)
    with pytest.warns(CacheWarning, match="out of order"):
        assert not cache.read(space, digests, 8)[1].any()
    monkeypatch.setattr(type(environment), "_begin", begin)
    assert cache.read(space, digests, 8)[1].all()
    assert environment._lmdb is not opened
