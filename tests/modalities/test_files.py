"""Files are digested by content, read once, and remembered while unchanged."""

import os
import pathlib
import time

import numpy as np
import pytest

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import Geometry, decode_image
from tests.modalities._memos import Memo
from tests.modalities.image._bad_images import encoded
from tests.modalities.image._digests import digest, digests

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


@pytest.fixture
def later(monkeypatch):
    """Make the files of a test old enough to be remembered."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)


@pytest.fixture
def opened(monkeypatch):
    """Return the list of names of the files that are opened from now on."""
    names, really_open = [], os.open

    def count(path, *args, **kwargs):
        names.append(pathlib.Path(path).name)
        return really_open(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", count)
    return names


@pytest.mark.usefixtures("later")
def test_files_are_looked_up_and_remembered_in_one_batch(tmp_path, opened):
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        path.write_bytes(b"%d" % i)
    opened.clear()
    memo = Memo()
    first = digests([*paths, RGB, paths[0]], memo)
    assert (len(memo.reads), len(memo.writes), len(memo.known)) == (1, 1, 5)
    assert sorted(opened) == [path.name for path in paths]
    opened.clear()
    assert digests([*paths, RGB, paths[0]], memo) == first
    assert opened == []
    assert (len(memo.reads), len(memo.writes)) == (2, 1)


@pytest.mark.usefixtures("later")
def test_only_unknown_files_are_read(tmp_path, opened):
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    old.write_bytes(b"old")
    memo = Memo()
    digest(old, memo)
    new.write_bytes(b"new")
    opened.clear()
    assert digests([old, new], memo) == digests([b"old", b"new"])
    assert opened == ["new.png"]


@pytest.mark.usefixtures("later")
def test_a_remembered_digest_is_used():
    memo = Memo()
    memo.read_file_digests = lambda keys: [b"m" * 16 for _ in keys]
    assert digest(__file__, memo) == b"m" * 16


@pytest.mark.usefixtures("later")
def test_a_relative_path_is_remembered_by_its_absolute_one(tmp_path, monkeypatch):
    memo = Memo()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(folder.encode())
        monkeypatch.chdir(tmp_path / folder)
        assert digest("a.png", memo) == digest(folder.encode())
    digest(tmp_path / "two" / "a.png", memo)
    assert len(memo.known) == 2


@pytest.mark.usefixtures("later")
def test_a_changed_file_is_read_again_even_with_its_old_size_and_time(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    memo = Memo()
    digest(path, memo)
    before = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert digest(path, memo) == digest(b"two")
    other = tmp_path / "other"
    other.write_bytes(b"six")
    other.replace(path)
    assert digest(path, memo) == digest(b"six")


def test_a_file_written_just_now_is_not_remembered(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"now")
    memo = Memo()
    assert digest(path, memo) == digest(b"now")
    assert memo.known == {}
    assert memo.writes == []


@pytest.mark.usefixtures("later")
def test_a_file_with_a_time_in_the_future_is_not_remembered(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    future = time.time_ns() + 3_600_000_000_000
    os.utime(path, ns=(future, future))
    memo = Memo()
    digest(path, memo)
    assert memo.known == {}


@pytest.mark.usefixtures("later")
def test_files_that_cannot_be_read_are_not_remembered(tmp_path):
    memo = Memo()
    digests([tmp_path / "absent", tmp_path, None], memo)
    assert (memo.reads, memo.writes) == ([], [])


def test_a_file_that_changes_between_digest_and_decoding_is_detected(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(RGB))
    taken = digest(path)
    geometry = Geometry((6, 5), (6, 5))
    np.testing.assert_array_equal(decode_image(path, geometry, digest=taken), RGB)
    path.write_bytes(encoded(RGB[::-1]))
    with pytest.raises(BadCellError, match=r"the file has changed.*run it again"):
        decode_image(path, geometry, digest=taken)
