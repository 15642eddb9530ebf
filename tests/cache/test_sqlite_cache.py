import copy
import os
import pickle
import threading

import numpy as np
import pytest

from sktransfer.cache import NoCache, open_cache, space_key


def test_rows_are_read_bit_for_bit_in_the_order_requested(cache, space, digests, rows_of):
    rows = rows_of(digests, 384)
    rows[3, 5], rows[4, 6], rows[5, 7] = np.nan, np.inf, -0.0
    cache.write(space, digests, rows)
    order = np.random.default_rng(0).permutation(len(digests))
    read, found = cache.read(space, [digests[i] for i in order], 384)
    assert read.dtype == np.float32
    assert found.dtype == bool
    assert found.all()
    assert read.tobytes() == rows[order].tobytes()


def test_missing_rows_are_nan_and_not_found(cache, space, digests, rows_of):
    cache.write(space, digests[::2], rows_of(digests[::2], 8))
    read, found = cache.read(space, digests, 8)
    np.testing.assert_array_equal(found, [True, False] * 50)
    np.testing.assert_array_equal(read[found], rows_of(digests[::2], 8))
    assert np.isnan(read[~found]).all()


def test_a_repeated_digest_is_found_twice(cache, space, digests, rows_of):
    asked = [digests[0], digests[1], digests[0], os.urandom(16), digests[0]]
    cache.write(space, digests, rows_of(digests, 8))
    read, found = cache.read(space, asked, 8)
    np.testing.assert_array_equal(found, [True, True, True, False, True])
    np.testing.assert_array_equal(read[found], rows_of([asked[i] for i in (0, 1, 2, 4)], 8))


def test_another_space_or_width_finds_nothing(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    assert not cache.read(space_key(layer="other"), digests, 8)[1].any()
    for width in (0, 7, 9, 16):
        rows, found = cache.read(space, digests, width)
        assert not found.any()
        assert rows.shape == (100, width)


def test_a_row_written_again_replaces_the_first(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    cache.write(space, digests, rows_of(digests, 8) + 1)
    np.testing.assert_array_equal(cache.read(space, digests, 8)[0], rows_of(digests, 8) + 1)


@pytest.mark.parametrize("width", [1, 2000, 20_000])
def test_narrow_and_very_wide_rows_are_stored(cache, space, digests, rows_of, width):
    cache.write(space, digests[:20], rows_of(digests[:20], width))
    read, found = cache.read(space, digests[:20], width)
    assert found.all()
    np.testing.assert_array_equal(read, rows_of(digests[:20], width))


def test_more_rows_than_fit_in_one_transaction_are_all_stored(cache, space):
    digests = [os.urandom(16) for _ in range(9000)]
    rows = np.random.default_rng(0).random((9000, 200), dtype=np.float32)
    cache.write(space, digests, rows)
    read, found = cache.read(space, digests, 200)
    assert found.all()
    np.testing.assert_array_equal(read, rows)


def test_zero_rows_are_accepted(cache, space):
    cache.write(space, [], np.empty((0, 8), np.float32))
    rows, found = cache.read(space, [], 8)
    assert rows.shape == (0, 8)
    assert found.shape == (0,)
    assert cache.read_file_digests([]) == []
    cache.write_file_digests([], [])


def test_rows_of_any_layout_and_type_are_stored_as_float32(cache, space, digests):
    rows = np.asfortranarray(np.arange(800, dtype=np.float64).reshape(100, 8))
    cache.write(space, digests, rows)
    np.testing.assert_array_equal(cache.read(space, digests, 8)[0], rows.astype(np.float32))


@pytest.mark.parametrize("shape", [(99, 8), (100,), (100, 2, 2)])
def test_rows_that_do_not_match_the_digests_are_refused(cache, space, digests, shape):
    with pytest.raises(ValueError, match="100 digests do not fit"):
        cache.write(space, digests, np.zeros(shape, np.float32))


def test_a_space_or_digest_of_another_size_is_refused(cache, space, digests):
    with pytest.raises(ValueError, match="16 bytes"):
        cache.read(space[:-1], digests, 8)
    with pytest.raises(ValueError, match="16 bytes"):
        cache.write(space, [b"short"], np.zeros((1, 8), np.float32))


def test_digests_of_files_come_back(cache, digests):
    keys = [b"a file".ljust(16), b"another".ljust(16), b"a third".ljust(16)]
    assert cache.read_file_digests(keys) == [None, None, None]
    cache.write_file_digests(keys[:2], digests[:2])
    assert cache.read_file_digests(keys) == [digests[0], digests[1], None]


def test_without_a_cache_nothing_is_found(space, digests, rows_of):
    cache = NoCache()
    cache.write(space, digests, rows_of(digests, 8))
    cache.write_file_digests(digests, digests)
    rows, found = cache.read(space, digests, 8)
    assert cache.folder is None
    assert rows.shape == (100, 8)
    assert np.isnan(rows).all()
    assert not found.any()
    assert cache.read_file_digests(digests) == [None] * 100


def test_threads_read_and_write_the_same_rows(cache, space, digests, rows_of):
    rows = rows_of(digests, 64)
    wrong = []

    def work(seed):
        order = np.random.default_rng(seed)
        for _ in range(15):
            some = order.choice(100, 30)
            cache.write(space, [digests[i] for i in some], rows[some])
            read, found = cache.read(space, digests, 64)
            if not np.array_equal(read[found], rows[found]):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.read(space, digests, 64)[1].all()


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy, copy.copy])
def test_a_cache_is_not_pickled_or_copied(folder, copied):
    for cache in (open_cache(folder), open_cache(False)):
        with pytest.raises(TypeError, match="open_cache"):
            copied(cache)
