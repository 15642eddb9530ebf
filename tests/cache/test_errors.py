"""Problems of the machine are warnings, issued once, and never exceptions."""

import errno
import os
import sqlite3
import warnings

import pytest

from sktransfer.cache import NoCache, cache_info, clear_cache, open_cache
from sktransfer.exceptions import CacheWarning


def test_a_file_in_the_place_of_the_folder_warns(folder):
    folder.write_text("mine")
    with pytest.warns(CacheWarning, match="SKTRANSFER_CACHE") as warned:
        assert isinstance(open_cache(folder), NoCache)
    assert str(folder) in str(warned[0].message)
    assert folder.read_text() == "mine"


def test_a_file_in_the_path_to_the_folder_warns(folder):
    folder.write_text("mine")
    with pytest.warns(CacheWarning, match="Not a directory"):
        assert isinstance(open_cache(folder / "below"), NoCache)


def test_a_loop_of_links_warns(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.warns(CacheWarning):
        assert isinstance(open_cache(tmp_path / "a"), NoCache)


def test_a_warning_is_issued_once(folder):
    folder.write_text("mine")
    with pytest.warns(CacheWarning):
        open_cache(folder)
    with warnings.catch_warnings(action="error"):
        assert isinstance(open_cache(folder), NoCache)
    with pytest.warns(CacheWarning):
        open_cache(folder / "below")


def test_the_warning_points_at_the_code_that_opened_the_cache(folder):
    folder.write_text("mine")
    with pytest.warns(CacheWarning) as warned:
        open_cache(folder)
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.EROFS, "Read-only file system"),
        OSError(errno.ENOLCK, "No locks available"),
        sqlite3.OperationalError("unable to open database file"),
        sqlite3.DatabaseError("database disk image is malformed"),
        sqlite3.NotSupportedError("anything else"),
    ],
)
def test_errors_while_opening_are_warnings(folder, monkeypatch, error):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.warns(CacheWarning, match="cannot be used"):
        assert isinstance(open_cache(folder), NoCache)
    monkeypatch.undo()
    assert open_cache(folder).folder == folder  # the next call tries again


def test_a_disk_that_fills_up_warns_and_earlier_rows_stay(run):
    said = run(
        """
import resource, warnings
cache = open_cache(folder)
cache.write(space, [digest(0)], row(0)[None])
size = os.stat(folder + "/v3/features.sqlite-wal").st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, resource.RLIM_INFINITY))
many = range(1, 1000)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    for _ in range(2):
        cache.write(space, [digest(i) for i in many], np.stack([row(i) for i in many]))
say([str(w.message) for w in warned])
rows, found = cache.read(space, [digest(i) for i in range(1000)], 384)
assert found[0] and found.sum() == 1 and (rows[0] == row(0)).all(), found.sum()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
cache.write(space, [digest(i) for i in many], np.stack([row(i) for i in many]))
assert cache.read(space, [digest(i) for i in range(1000)], 384)[1].all()
"""
    )
    assert said.count("cannot be used") == 1
    assert "Free some space" in said


def test_a_process_that_hangs_in_a_write_does_not_block_others(
    start, cache, space, digests, rows_of, monkeypatch
):
    cache.write(space, digests, rows_of(digests, 8))
    hanging = start(
        """
cache = open_cache(folder)
with cache.database.transaction(write=True):
    say("in")
    sys.stdin.read()
"""
    )
    assert hanging.stdout.readline() == "in\n"
    monkeypatch.setattr(cache.database, "timeout", 0.1)
    with warnings.catch_warnings(action="error"):
        assert cache.read(space, digests, 8)[1].all()
    with pytest.warns(CacheWarning, match="check whether it hangs"):
        cache.write(space, digests, rows_of(digests, 8))


def test_an_unreadable_cache_counts_as_empty(folder):
    (folder / "v3").mkdir(parents=True)
    (folder / "v3" / "features.sqlite").write_bytes(b"x" * 20_000)
    with pytest.warns(CacheWarning, match="clear_cache"):
        assert cache_info(folder).rows == 0


def test_other_files_beside_the_cache_are_not_removed(folder, cache, space, digests, rows_of):
    cache.write(space, digests, rows_of(digests, 8))
    for path in (folder / "thesis.txt", folder / "v3" / "thesis.txt"):
        path.write_text("mine")
    clear_cache(folder)
    assert (folder / "thesis.txt").read_text() == "mine"
    assert (folder / "v3" / "thesis.txt").read_text() == "mine"
    assert not (folder / "v3" / "features.sqlite").exists()


@pytest.mark.parametrize("cache", [True, "~/cache", "~nobody.of.this.name/cache"])
def test_without_a_home_folder_a_warning_is_issued_and_nothing_is_cached(
    cache, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SKTRANSFER_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it does without a home
    with pytest.warns(CacheWarning, match="home.*Set SKTRANSFER_CACHE") as warned:
        assert isinstance(open_cache(cache), NoCache)
    assert warned[0].filename == __file__
    with warnings.catch_warnings(action="error"):
        assert isinstance(open_cache(cache), NoCache)
        assert cache_info(cache).folder is None
        clear_cache(cache)
    assert list(tmp_path.iterdir()) == []


def test_a_home_folder_that_platformdirs_does_not_find_is_a_warning(monkeypatch):
    def fail(name):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("SKTRANSFER_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", fail)
    with pytest.warns(CacheWarning, match="could not determine"):
        assert isinstance(open_cache(True), NoCache)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can")
def test_a_user_without_a_home_computes_without_a_cache(run):
    said = run(
        """
import warnings
rows = row(0)[None]
del os.environ["SKTRANSFER_CACHE"]
os.environ.pop("XDG_CACHE_HOME", None)
os.environ.pop("HOME", None)
os.chdir(os.path.dirname(folder))
os.setuid(54321)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    cache = open_cache(True)
    cache.write(space, [digest(0)], rows)
    say((cache.folder, cache_info().rows, len(warned)))
"""
    )
    assert said == "(None, 0, 1)\n"
