"""Binary objects stored beside the rows: complete under their own name, or missing."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from sktransfer.cache import FileStore, clear_cache
from sktransfer.exceptions import CacheWarning

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def store(folder):
    return FileStore(folder)


@pytest.fixture
def path(folder):
    """Return the path of the object named "a"."""
    return folder / "files-v2" / "a.bin"


def test_an_object_written_in_parts_is_read_as_one(store):
    assert store.read("a") is None
    store.write("a", CONTENT, b"", b"more")
    assert store.read("a") == CONTENT + b"more"
    store.write("a", b"anew")
    assert store.read("a") == b"anew"
    assert store.read("b") is None


def test_without_a_folder_nothing_is_stored():
    store = FileStore(None)
    store.write("a", CONTENT)
    assert store.read("a") is None
    store.remove()


def test_reading_creates_no_folder(store, folder):
    assert store.read("a") is None
    store.remove()
    assert not folder.exists()


DAMAGE = {
    "a bit of the content": lambda raw: raw[:99] + bytes([raw[99] ^ 1]) + raw[100:],
    "a bit of the checksum": lambda raw: bytes([raw[0] ^ 1]) + raw[1:],
    "cut short": lambda raw: raw[:-1],
    "cut to less than a checksum": lambda raw: raw[:7],
    "longer": lambda raw: raw + b"\0",
    "empty": lambda raw: b"",
    "zeros": lambda raw: bytes(len(raw)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_object_is_missing_and_can_be_written_again(store, path, damage):
    store.write("a", CONTENT)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert store.read("a") is None
    store.write("a", CONTENT)
    assert store.read("a") == CONTENT


def test_an_object_under_another_name_is_missing(store, path):
    store.write("b", CONTENT)
    path.with_name("b.bin").rename(path)
    assert store.read("a") is None


def test_files_and_folders_are_accessible_only_to_the_user(store, path):
    store.write("a", CONTENT)
    path.chmod(0o666)
    path.parent.chmod(0o777)
    assert store.read("a") == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("planted", ["folder", "file"])
def test_a_planted_link_is_neither_read_nor_written(store, path, tmp_path, planted):
    victim = tmp_path / "victim"
    if planted == "folder":
        path.parent.parent.mkdir()
        victim.mkdir()
        path.parent.symlink_to(victim)
    else:
        path.parent.mkdir(parents=True)
        victim.write_bytes(b"of somebody else")
        path.symlink_to(victim)
    before = sorted(tmp_path.rglob("*"))
    with pytest.warns(CacheWarning, match="this is a link; remove it"):
        assert store.read("a") is None
    store.write("a", CONTENT)
    assert sorted(tmp_path.rglob("*")) == before
    assert planted == "folder" or victim.read_bytes() == b"of somebody else"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)
@pytest.mark.parametrize("foreign", ["", "files-v2", "files-v2/a.bin"])
def test_files_of_another_user_are_not_used(store, folder, foreign):
    store.write("a", CONTENT)
    os.chown(folder / foreign, 65534, 65534)
    with pytest.warns(CacheWarning, match="belongs to another user"):
        assert store.read("a") is None


def test_a_full_disk_is_a_warning_and_leaves_the_old_content(store, path, monkeypatch):
    store.write("a", CONTENT)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.warns(CacheWarning, match="No space left"):
        store.write("a", b"anew")
    assert store.read("a") == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_the_least_recently_used_objects_are_removed_at_the_limit(store, path, monkeypatch):
    monkeypatch.setenv("SKTRANSFER_CACHE_LIMIT", "170 kB")  # of which these get a fifth
    for age, name in [(30, "a"), (20, "b"), (10, "c")]:
        store.write(name, CONTENT)
        when = time.time() - age
        os.utime(path.with_name(f"{name}.bin"), (when, when))
    assert store.read("a") == CONTENT  # and so it was used last
    store.write("d", CONTENT)
    assert [name for name in "abcd" if store.read(name)] == ["a", "c", "d"]
    store.write("e", CONTENT * 10)  # larger than the limit
    assert [name for name in "abcde" if store.read(name)] == ["a", "c", "d"]


def test_unfinished_files_of_killed_processes_are_removed_and_those_of_running_ones_stay(
    store, path
):
    path.parent.mkdir(parents=True)
    old, new = (path.with_name(name) for name in ("old.part", "new.part"))
    for unfinished in (old, new):
        unfinished.write_bytes(b"")
    os.utime(old, (0, 0))
    store.write("a", CONTENT)
    assert (old.exists(), new.exists()) == (False, True)


def test_clearing_the_cache_removes_objects_and_nothing_else(store, path, folder):
    store.write("a", CONTENT)
    beside = path.with_name("notes.txt")
    beside.write_text("mine")
    clear_cache(folder)
    assert list(path.parent.iterdir()) == [beside]
    assert store.read("a") is None


def test_concurrent_readers_never_see_a_partial_file(store):
    contents = [bytes([number]) * 100_000 for number in range(4)]
    seen, done = [], threading.Event()

    def write(content):
        for _ in range(10):
            store.write("a", content)

    def read():
        while not done.is_set():
            seen.append(store.read("a"))

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert {bytes(content) for content in seen if content is not None} <= set(contents)
    assert store.read("a") in contents
