import os
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from sktransfer.cache import NoCache, SqliteCache, _open, open_cache


def test_true_means_the_folder_in_the_environment(tmp_path):
    assert open_cache(True).folder == tmp_path / "of the user"


def test_true_means_the_platforms_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.setenv("SKTRANSFER_CACHE", "")
    asked = []

    def user_cache_path(name):
        asked.append(name)
        return tmp_path / name

    monkeypatch.setattr(platformdirs, "user_cache_path", user_cache_path)
    assert open_cache(np.True_).folder == tmp_path / "sktransfer"
    assert asked == ["sktransfer"]


def test_false_disables_the_cache():
    assert isinstance(open_cache(False), NoCache)
    assert isinstance(open_cache(np.False_), NoCache)


def test_a_folder_is_a_string_or_a_path(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_cache(str(folder)).folder == folder
    assert open_cache(folder) is open_cache(str(folder))
    assert open_cache("~/cache") is open_cache(folder)


@pytest.mark.parametrize("cache", [None, 1, 0, 1.5, ["folder"], b"folder", object()])
def test_anything_else_is_a_type_error(cache):
    with pytest.raises(TypeError, match="cache must be True, False or a folder"):
        open_cache(cache)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_an_impossible_folder_name_is_refused(name):
    with pytest.raises(ValueError, match=re.escape(f"or a folder, got {name!r}")):
        open_cache(name)


def test_all_paths_to_one_folder_open_one_cache(folder, tmp_path, monkeypatch):
    cache = open_cache(folder)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert open_cache(tmp_path / "link") is cache
    assert open_cache("cache/../cache") is cache


def test_only_the_user_can_read_the_cache(folder):
    before = os.umask(0)
    try:
        open_cache(folder)
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
    assert set(modes) == {
        folder,
        folder / "v3",
        *(folder / "v3" / f"features.sqlite{ending}" for ending in ("", "-wal", "-shm")),
        folder / "v3" / "lock",
    }
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("version", ["v1", "v2", "v4"])
def test_a_folder_of_another_version_is_not_changed(version, folder, space, digests, rows_of):
    (folder / version).mkdir(parents=True)
    (folder / version / "features.sqlite").write_bytes(b"what the future brings")
    cache = open_cache(folder)
    cache.write(space, digests, rows_of(digests, 8))
    assert cache.read(space, digests, 8)[1].all()
    assert (folder / version / "features.sqlite").read_bytes() == b"what the future brings"


def test_a_removed_folder_is_created_again(folder, space, digests, rows_of):
    cache = open_cache(folder)
    cache.write(space, digests, rows_of(digests, 8))
    shutil.rmtree(folder)
    assert not cache.read(space, digests, 8)[1].any()
    cache.write(space, digests, rows_of(digests, 8))
    assert cache.read(space, digests, 8)[1].all()
    assert (folder / "v3" / "features.sqlite").exists()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell")
def test_a_removed_folder_frees_its_disk_space(folder, tmp_path):
    open_cache(folder)
    shutil.rmtree(folder)
    open_cache(tmp_path / "another")
    held = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    assert not [path for path in held if path.startswith(str(folder))]


def test_an_open_cache_is_persistent(folder):
    assert isinstance(open_cache(folder), SqliteCache)


def test_two_threads_can_fork_at_the_same_time(cache, monkeypatch):
    inner, is_second_in = threading.Lock(), threading.Event()
    exits = []

    class SlowLock:
        def __enter__(self):
            inner.acquire()

        def __exit__(self, *error):
            inner.release()
            exits.append(None)
            if len(exits) == 1:  # time for the second thread to take the locks
                is_second_in.wait(10)

    monkeypatch.setattr(_open, "_lock", SlowLock())
    _open._close_all()
    may_end = threading.Event()

    def fork():
        _open._close_all()
        is_second_in.set()
        may_end.wait(10)
        _open._release_all()

    second = threading.Thread(target=fork)
    second.start()
    _open._release_all()
    assert inner.locked()  # by the second thread still
    may_end.set()
    second.join()
    assert not inner.locked()
    assert cache.database.lock.acquire(timeout=1)
    cache.database.lock.release()
