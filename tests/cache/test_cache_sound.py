"""A file that others have changed is verified before LMDB touches it; one's own changes are not."""

import os
import time
import warnings

import lmdb
import numpy as np
import pytest

from sktransfer.cache import NoCache, _eviction, _sound, _store, open_cache
from sktransfer.cache._eviction import stamp_of
from sktransfer.exceptions import CacheWarning


@pytest.fixture
def verified(monkeypatch):
    """The files that were verified from now on."""
    seen, really = [], _sound.verify
    monkeypatch.setattr(_sound, "verify", lambda path: seen.append(path) or really(path))
    return seen


@pytest.fixture
def filled(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 384))
    return cache


def test_ones_own_writes_and_openings_verify_nothing(verified, filled, folder, space, digests):
    for _ in range(3):
        filled.environment.close()
        assert filled.read(space, digests, 384)[1].all()
        filled.write(space, digests[:3], np.zeros((3, 384), np.float32))
    assert verified == []


def test_writes_of_another_process_verify_nothing(verified, run, filled, space, digests):
    run("open_cache(folder).write(space, [digest(1)], row(1)[None])")
    assert filled.read(space, digests, 384)[1].all()
    assert verified == []


def test_a_file_that_somebody_touched_is_verified_once(verified, filled, folder, space, digests):
    os.utime(folder / "v1" / "data.mdb")
    for _ in range(3):
        assert filled.read(space, digests, 384)[1].all()
    assert len(verified) == 1


@pytest.mark.parametrize("note", [None, b"", b"nonsense", b"1 2 3"])
def test_a_file_without_a_note_is_verified(verified, filled, folder, space, digests, note):
    filled.environment.close()
    path = folder / "v1" / "sound"
    path.unlink() if note is None else path.write_bytes(note)
    assert filled.read(space, digests, 384)[1].all()
    assert len(verified) == 1


@pytest.mark.parametrize("days", [-2, 2])
def test_a_note_is_good_for_a_day(verified, filled, space, digests, monkeypatch, days):
    later = time.time() + days * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    for _ in range(3):
        assert filled.read(space, digests, 384)[1].all()
    assert len(verified) == 1


def test_a_file_that_is_damaged_while_it_is_open_is_noticed(filled, folder, space, digests):
    (folder / "v1" / "data.mdb").write_bytes(os.urandom(300_000))
    with pytest.warns(CacheWarning, match=r"damaged.*clear_cache"):
        assert not filled.read(space, digests, 384)[1].any()


def test_a_lock_file_that_was_removed_is_made_anew(filled, folder, space, digests, run):
    (folder / "v1" / "lock.mdb").unlink()
    assert filled.read(space, digests, 384)[1].all()
    assert (folder / "v1" / "lock.mdb").exists()
    run("open_cache(folder).write(space, [digest(1)], row(1)[None])")
    assert filled.read(space, [*digests, (1).to_bytes(16, "big")], 384)[1].all()


@pytest.mark.parametrize("flags", [{"dupsort": True}, {"integerkey": True}])
def test_tables_of_another_kind_are_damage(folder, space, digests, flags):
    (folder / "v1").mkdir(parents=True)
    with lmdb.open(str(folder / "v1"), max_dbs=3) as environment:
        environment.open_db(b"rows", **flags)
    with pytest.warns(CacheWarning, match="tables of another kind"):
        assert isinstance(open_cache(folder), NoCache)


def test_who_waited_in_vain_does_not_wait_again_for_each_row(
    start, filled, space, digests, rows_of, monkeypatch
):
    hanging = start("""
with open_cache(folder).environment.writing():
    say("in")
    sys.stdin.read()
""")
    assert hanging.stdout.readline() == "in\n"
    monkeypatch.setattr(filled.environment, "wait", 0.5)
    before = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        for _ in range(20):
            filled.write(space, digests, rows_of(digests, 8))
    assert time.monotonic() - before < 3
    hanging.communicate()
    filled.write(space, digests, rows_of(digests, 8))
    assert filled.read(space, digests, 8)[1].all()


def test_a_map_that_the_system_refuses_tells_of_the_limit(run):
    said = run("""
import resource, warnings
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    open_cache(folder)
say(warned[0].message)
os.environ["SKTRANSFER_CACHE_LIMIT"] = "500 MB"
say(type(open_cache(folder)).__name__)
""")
    assert "SKTRANSFER_CACHE_LIMIT" in said
    assert said.endswith("LmdbCache\n")


def test_a_clock_in_a_far_century_is_a_stamp_like_any_other(cache, space, digests, monkeypatch):
    for seconds in (-1e9, 1e10, 1e300):
        assert len(stamp_of(seconds)) == 4
    for module in (_store, _eviction):
        monkeypatch.setattr(module, "now", lambda: 1e11)
    cache.write(space, digests, np.ones((100, 8), np.float32))
    assert cache.read(space, digests, 8)[1].all()


def test_rows_stamped_by_a_clock_that_was_ahead_are_the_first_to_go(
    folder, space, digests, rows_of, monkeypatch
):
    cache, time = open_cache(folder), [2e9]
    for module in (_store, _eviction):
        monkeypatch.setattr(module, "now", lambda: time[0])
    cache.write(space, digests[:50], rows_of(digests[:50], 384))
    time[0] = 1.8e9  # the clock is set right
    cache.write(space, digests[50:], rows_of(digests[50:], 384))
    cache.environment.limit = 150_000
    _eviction.make_room(cache.environment)
    with cache.environment.reading() as tables:
        kept = tables.get(b"rows", [space + digest for digest in digests])
    assert len(kept) > 10
    assert all(space + digest in kept for digest in digests[50:]) or len(kept) < 50
    assert not any(space + digest in kept for digest in digests[:50])
