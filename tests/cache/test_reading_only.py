"""Caches that are read and not written to."""

import threading

import numpy as np

from sktransfer.cache import open_cache, reading_only

OTHER = bytes(range(1, 17))
SPACE, DIGESTS, ROWS = bytes(range(16)), [b"a" * 16, b"b" * 16], np.ones((2, 3), np.float32)


def test_rows_are_read_and_not_written(tmp_path):
    open_cache(tmp_path).write(SPACE, DIGESTS[:1], ROWS[:1])
    with reading_only():
        cache = open_cache(tmp_path)
        cache.write(SPACE, DIGESTS, ROWS)
        cache.write_texts(OTHER, DIGESTS, ["a", "b"])
        cache.write_file_digests(DIGESTS, DIGESTS)
        cache.write_object(SPACE, b"content")
        rows, found = cache.read(SPACE, DIGESTS, 3)
        assert cache.read_texts(OTHER, DIGESTS) == [None, None]
        assert cache.read_object(SPACE) is None
    assert found.tolist() == [True, False]
    np.testing.assert_array_equal(rows[0], ROWS[0])
    assert cache.folder == open_cache(tmp_path).folder


def test_afterwards_and_in_other_threads_rows_are_written(tmp_path):
    with reading_only():
        thread = threading.Thread(
            target=lambda: open_cache(tmp_path).write(SPACE, DIGESTS[:1], ROWS[:1])
        )
        thread.start()
        thread.join()
    open_cache(tmp_path).write(SPACE, DIGESTS[1:], ROWS[1:])
    assert open_cache(tmp_path).read(SPACE, DIGESTS, 3)[1].all()
