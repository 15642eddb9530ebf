"""Bytes that are stored in a row: whole under their own key, or missing."""

import os
import threading

import numpy as np
import pytest

from sktransfer.cache import NoCache, cache_info, clear_cache, open_cache, space_key

CONTENT = os.urandom(2_500_000)
KEY, OTHER = space_key(a="network"), space_key(a="network", layer=2)


@pytest.fixture
def number(cache):
    """Return the number of the row that holds the content."""

    def number():
        select = "SELECT id FROM rows WHERE substr(value, 9, 100) = ?"
        with cache.database.transaction(write=False) as connection:
            return connection.execute(select, [CONTENT[:100]]).fetchone()[0]

    return number


@pytest.mark.parametrize("size", [0, 1, 2**20, 2_500_000])
def test_bytes_come_back_as_they_were(cache, size):
    assert cache.read_object(KEY) is None
    cache.write_object(KEY, CONTENT[:size])
    assert cache.read_object(KEY).tobytes() == CONTENT[:size]
    cache.write_object(KEY, b"anew")
    assert cache.read_object(KEY).tobytes() == b"anew"
    assert cache.read_object(OTHER) is None


def test_without_a_folder_nothing_is_kept():
    cache = NoCache()
    cache.write_object(KEY, CONTENT)
    assert cache.read_object(KEY) is None


DAMAGE = {
    "a bit of the content": lambda raw: raw[:99] + bytes([raw[99] ^ 1]) + raw[100:],
    "cut short": lambda raw: raw[:-1],
    "empty": lambda raw: b"",
    "zeros": lambda raw: bytes(len(raw)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_object_is_not_found_and_can_be_written_again(cache, number, damage):
    cache.write_object(KEY, CONTENT)
    row = number()
    with cache.database.transaction(write=True) as connection:
        (raw,) = connection.execute("SELECT value FROM rows WHERE id = ?", [row]).fetchone()
        damaged = DAMAGE[damage](raw)
        connection.execute("UPDATE rows SET value = ? WHERE id = ?", [damaged, row])
    assert cache.read_object(KEY) is None
    cache.write_object(KEY, CONTENT)
    assert cache.read_object(KEY).tobytes() == CONTENT


def test_a_size_of_other_bytes_gives_no_object(cache):
    """Two processes may write different bytes under one key at once."""
    cache.write_object(KEY, CONTENT)
    cache.write(bytes(15) + b"\1", [KEY], np.zeros((1, 2**18), np.float32))
    assert cache.read_object(KEY) is None


def test_objects_and_digests_of_files_do_not_count_as_rows(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    cache.write_file_digests(digests, digests)
    cache.write_object(KEY, CONTENT)
    info = cache_info(cache.folder)
    assert info.rows == 100
    assert info.size > len(CONTENT)


def test_an_object_larger_than_a_fifth_of_the_limit_is_not_kept(folder, monkeypatch):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "12 MB")
    cache = open_cache(folder)
    cache.write_object(KEY, CONTENT)
    assert cache.read_object(KEY) is None
    cache.write_object(KEY, CONTENT[:2_000_000])
    assert cache.read_object(KEY) is not None


def test_objects_written_first_go_where_the_limit_is_reached(folder, space, digests, monkeypatch):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "20 MB")
    cache = open_cache(folder)
    third = space_key(a="network", layer=3)
    for key in (KEY, OTHER, third):
        cache.write_object(key, CONTENT)
    cache.write(space, digests, np.ones((100, 32_000), np.float32))
    assert cache.read_object(KEY) is None
    assert cache.read_object(third) is not None


def test_clearing_the_cache_removes_objects(cache):
    cache.write_object(KEY, CONTENT)
    clear_cache(cache.folder)
    assert cache.read_object(KEY) is None


def test_many_writers_and_readers_never_see_half_an_object(cache):
    contents = [bytes([number]) * 1_500_000 for number in range(4)]
    seen, done = [], threading.Event()

    def write(content):
        for _ in range(10):
            cache.write_object(KEY, content)

    def read():
        while not done.is_set():
            seen.append(cache.read_object(KEY))

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert {content.tobytes() for content in seen if content is not None} <= set(contents)
    cache.write_object(KEY, contents[0])
    assert cache.read_object(KEY).tobytes() == contents[0]
