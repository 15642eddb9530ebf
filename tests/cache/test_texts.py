"""Texts of any length in the cache: whole, or missing."""

import numpy as np
import pytest

from sktransfer.cache import NoCache, cache_info, space_key

TEXTS = ["", "a", "naïve 🙂 \u0000 " * 100, '[[0.0, 1.5, "hello"]]']
DIGESTS = [bytes(15) + bytes([number]) for number in range(len(TEXTS))]
SPACE, OTHER = space_key(kind="transcript"), space_key(kind="transcript", beam_size=5)


def test_texts_come_back_as_they_were(cache):
    assert cache.read_texts(SPACE, DIGESTS) == [None] * 4
    cache.write_texts(SPACE, DIGESTS, TEXTS)
    assert cache.read_texts(SPACE, [*DIGESTS, *DIGESTS[::-1]]) == [*TEXTS, *TEXTS[::-1]]
    assert cache.read_texts(OTHER, DIGESTS) == [None] * 4
    cache.write_texts(SPACE, DIGESTS[:1], ["anew"])
    assert cache.read_texts(SPACE, DIGESTS[:2]) == ["anew", "a"]


def test_each_text_is_a_row(cache):
    cache.write_texts(SPACE, DIGESTS, TEXTS)
    assert cache_info(cache.folder).rows == 4


def test_texts_and_features_do_not_meet(cache):
    cache.write(SPACE, DIGESTS, np.ones((4, 3)))
    cache.write_texts(OTHER, DIGESTS, TEXTS)
    rows, found = cache.read(SPACE, DIGESTS, width=3)
    assert found.all()
    assert (rows == 1).all()
    assert cache.read_texts(OTHER, DIGESTS) == TEXTS


@pytest.mark.parametrize("damage", ["substr(value, 1, 12)", "CAST('text' AS TEXT)", "NULL"])
def test_a_damaged_text_is_missing_and_the_others_are_there(cache, damage):
    cache.write_texts(SPACE, DIGESTS, TEXTS)
    with cache.database.transaction(write=True) as connection:
        connection.execute(f"UPDATE rows SET value = {damage} WHERE key = ?", [SPACE + DIGESTS[2]])
    assert cache.read_texts(SPACE, DIGESTS) == [*TEXTS[:2], None, TEXTS[3]]


def test_a_text_larger_than_the_limit_is_not_stored(cache):
    cache.database.limit = 60_000
    cache.write_texts(SPACE, DIGESTS[:2], ["a" * 100_000, "b"])
    assert cache.read_texts(SPACE, DIGESTS[:2]) == [None, "b"]


def test_without_a_folder_nothing_is_kept():
    cache = NoCache()
    cache.write_texts(SPACE, DIGESTS, TEXTS)
    assert cache.read_texts(SPACE, DIGESTS) == [None] * 4
