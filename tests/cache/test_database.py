"""The database connection: when it is opened, and how it behaves while other processes hold locks."""

import os
import sqlite3
import time
import warnings

import numpy as np
import pytest

from sktransfer.cache import NoCache, clear_cache, open_cache
from sktransfer.exceptions import CacheWarning

HANG = """
with open_cache(folder).database.transaction(write=True):
    say("in")
    sys.stdin.read()
"""


@pytest.fixture
def filled(cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 384))
    return cache


def test_the_file_is_opened_once_per_process(folder, monkeypatch, space, digests, rows_of):
    opened = []
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **k: opened.append(path) or connect(path, **k)
    )
    for _ in range(3):
        open_cache(folder).write(space, digests, rows_of(digests, 8))
        open_cache(folder).read(space, digests, 8)
    assert opened.count(folder / "v3" / "features.sqlite") == 1


def test_settings_of_the_connection(cache):
    with cache.database.transaction(write=False) as connection:
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "page_size", "mmap_size")
        }
    assert settings == {
        "journal_mode": b"wal",
        "synchronous": 1,
        "page_size": 8192,
        "mmap_size": 0,
    }


def test_writes_of_another_process_are_read(run, filled, space, digests):
    run("open_cache(folder).write(space, [digest(1)], row(1)[None])")
    assert filled.read(space, [*digests, (1).to_bytes(16, "big")], 384)[1].all()


def test_a_transaction_is_rolled_back_after_an_error_or_an_interrupt(filled, space, digests):
    def delete_and_fail(error):
        with filled.database.transaction(write=True) as connection:
            connection.execute("DELETE FROM rows")
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            delete_and_fail(error)
        assert filled.read(space, digests, 384)[1].all()


@pytest.mark.parametrize("name", ["lock", "features.sqlite-wal", "features.sqlite-shm"])
def test_a_removed_file_beside_the_database_is_not_an_error(
    filled, folder, space, digests, rows_of, name, run
):
    filled.database.close()
    (folder / "v3" / name).unlink(missing_ok=True)
    filled.write(space, digests[:3], rows_of(digests[:3], 384))
    run("open_cache(folder).write(space, [digest(1)], row(1)[None])")
    assert filled.read(space, [*digests, (1).to_bytes(16, "big")], 384)[1].all()


@pytest.mark.parametrize(
    "tables",
    [
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, other TEXT)",
        "CREATE TABLE older (key BLOB)",
        "CREATE VIEW rows AS SELECT 1 AS id, 2 AS key, 3 AS value",
    ],
)
def test_unknown_tables_are_damage(folder, tables):
    (folder / "v3").mkdir(parents=True)
    connection = sqlite3.connect(folder / "v3" / "features.sqlite")
    connection.execute(tables)
    connection.close()
    with pytest.warns(CacheWarning, match=r"tables of another kind.*clear_cache"):
        assert isinstance(open_cache(folder), NoCache)


def test_a_process_that_hangs_in_a_write_does_not_block_readers(start, filled, space, digests):
    hanging = start(HANG)
    assert hanging.stdout.readline() == "in\n"
    with warnings.catch_warnings(action="error"):
        assert filled.read(space, digests, 384)[1].all()
    clear_cache(filled.folder)
    filled.write(space, digests[:3], np.ones((3, 384), np.float32))
    assert filled.read(space, digests[:3], 384)[1].all()


def test_after_one_timeout_later_writes_do_not_wait(
    start, filled, space, digests, rows_of, monkeypatch
):
    hanging = start(HANG)
    assert hanging.stdout.readline() == "in\n"
    monkeypatch.setattr(filled.database, "timeout", 0.5)
    before = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        for _ in range(20):
            filled.write(space, digests, rows_of(digests, 8))
    assert time.monotonic() - before < 3
    hanging.communicate()
    filled.write(space, digests, rows_of(digests, 8))
    assert filled.read(space, digests, 8)[1].all()


def test_a_process_that_hangs_while_opening_the_files_blocks_others_only_briefly(
    start, folder, monkeypatch
):
    hanging = start("""
with open_cache(folder).database._files_locked(1):
    say("in")
    sys.stdin.read()
""")
    assert hanging.stdout.readline() == "in\n"
    monkeypatch.setattr("sktransfer.cache._database.Database.timeout", 0.3)
    with pytest.warns(CacheWarning, match="check whether it hangs"):
        assert isinstance(open_cache(folder), NoCache)
    with pytest.raises(OSError, match="cannot be emptied"):
        clear_cache(folder)
    hanging.communicate()
    assert open_cache(folder).folder == folder


def test_a_small_address_space_is_sufficient(run):
    said = run("""
import resource
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
cache = open_cache(folder)
cache.write(space, [digest(1)], row(1)[None])
say(cache.read(space, [digest(1)], 384)[1].all())
""")
    assert said == "True\n"


def test_two_processes_both_store_their_rows_in_a_full_cache(start, filled):
    """All rows of both writers are stored; no write is refused or times out."""
    script = """
import warnings
warnings.simplefilter("error")
cache = open_cache(folder)
say("ready")
first = int(sys.stdin.readline())
for start in range(first, first + 2000, 100):
    some = range(start, start + 100)
    cache.write(space, [digest(i) for i in some], np.stack([row(i) for i in some]))
say(cache.read(space, [digest(i) for i in range(first, first + 2000)], 384)[1].all())
"""
    processes = [start(script) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for number, process in enumerate(processes):
        process.stdin.write(f"{10_000 * number}\n")
        process.stdin.flush()
    for process in processes:
        said, errors = process.communicate(timeout=60)
        assert (said, errors) == ("True\n", "")


def test_the_log_beside_the_database_has_a_bounded_size(cache, folder, space, rows_of):
    for _ in range(20):
        digests = [os.urandom(16) for _ in range(1000)]
        cache.write(space, digests, rows_of(digests, 384))
    assert (folder / "v3" / "features.sqlite-wal").stat().st_size < 30_000_000
