"""The same content has the same digest, other content another, and files are read once."""

import io
import os
import pathlib
import time

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from sktransfer.cells import (
    Geometry,
    as_column,
    decode_image,
    digest_images,
    digest_texts,
    load_pixels,
)
from sktransfer.exceptions import BadCellError

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def _png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def _digest(cell, memo=None):
    (digest,) = digest_images([cell], memo)
    if isinstance(digest, BadCellError):
        raise digest
    assert isinstance(digest, bytes)
    assert len(digest) == 16
    return digest


class Memo:
    def __init__(self):
        self.known, self.reads, self.writes = {}, [], []

    def read_file_digests(self, keys):
        self.reads.append(list(keys))
        return [self.known.get(key) for key in keys]

    def write_file_digests(self, keys, digests):
        self.writes.append(list(keys))
        self.known.update(zip(keys, digests, strict=True))


@pytest.fixture
def later(monkeypatch):
    """Let the files of a test be old enough to be remembered."""
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


# Content ----------------------------------------------------------------------------------


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    content = _png(RGB)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    copy = tmp_path / "b.jpg"
    copy.write_bytes(content)
    (tmp_path / "link").symlink_to(path)
    cells = [path, str(path), copy, tmp_path / "link", content, bytearray(content)]
    assert len(set(digest_images([*cells, memoryview(content)]))) == 1


def test_a_large_file_has_the_digest_of_its_bytes(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert _digest(tmp_path / "a") == _digest(content)


def test_a_pillow_image_has_the_digest_of_its_pixels():
    images = [Image.fromarray(RGB), Image.open(io.BytesIO(_png(RGB)))]
    assert {_digest(image) for image in images} == {_digest(RGB)}
    grey = Image.fromarray(RGB[..., 0])
    assert _digest(grey) == _digest(decode_image(grey))


def test_memory_layout_and_container_do_not_matter():
    stack = np.stack([RGB, RGB[::-1]])
    expected = digest_images([RGB, np.ascontiguousarray(RGB[::-1])])
    for X in (stack, list(stack), np.asfortranarray(stack), torch.from_numpy(stack)):
        assert digest_images(as_column(X, kind="image").cells) == expected
    frame = pd.DataFrame(stack.reshape(2, -1))
    assert digest_images(as_column(frame, kind="image", image_shape=(6, 5, 3)).cells) == expected


def test_different_content_has_different_digests():
    cells = [
        *(RGB, RGB[::-1], RGB.reshape(5, 6, 3), RGB.reshape(6, 15), RGB[:, :, :1], RGB[:, :, 0]),
        *(RGB.astype(np.int16), RGB > 9, RGB / 255, (RGB / 255).astype(np.float32)),
        *(RGB.tobytes(), _png(RGB), b"", np.zeros((0, 3))),
    ]
    assert len(set(digest_images(cells))) == len(cells)
    changed = RGB.copy()
    changed[5, 4, 2] ^= 1
    assert _digest(changed) != _digest(RGB)


def test_digests_do_not_change_between_versions():
    assert digest_texts(["a"])[0].hex() == "2886af57f7d961a89646cea9c96fdf49"
    assert _digest(b"a").hex() == "46603b305d6dd1f9a64173b35f88205c"
    assert _digest(np.zeros((1, 2), np.uint8)).hex() == "2d59f4350fcc68e78c6bc6c1c2e97df1"


def test_texts_have_equal_digests_when_they_are_equal():
    texts = ["a", "b", "", "a ", "A", "é", "e\u0301", "a\0", "日本"]
    digests = digest_texts(texts)
    assert len(set(digests)) == len(texts)
    assert all(len(digest) == 16 for digest in digests)
    assert digest_texts(np.array(texts[:2])) == digests[:2]
    assert digest_texts(["a", None, "b"]) == [digests[0], None, digests[1]]
    assert digests[0] != _digest(b"a")


def test_a_cell_that_cannot_be_read_gives_its_error_and_the_others_their_digests(tmp_path):
    cells = [RGB, None, "absent.png", tmp_path, 3, np.array([[None]]), b"x"]
    digests = digest_images(cells)
    assert [isinstance(digest, BadCellError) for digest in digests] == [0, 1, 1, 1, 1, 1, 0]
    assert "'absent.png': no such file" in str(digests[2])
    assert "is a directory" in str(digests[3])
    broken = Image.open(io.BytesIO(_png(np.zeros((64, 64, 3), np.uint8))[:-30]))
    with pytest.raises(BadCellError, match="cannot be decoded"):
        _digest(broken)


def test_what_is_no_image_is_found_when_it_is_decoded_not_before():
    for cell in (b"<html>", np.zeros((3, 8, 9)), np.array([[9.0]])):
        _digest(cell)
        with pytest.raises(BadCellError):
            decode_image(cell)


# Files that are remembered ----------------------------------------------------------------


@pytest.mark.usefixtures("later")
def test_files_are_asked_for_and_remembered_in_one_batch(tmp_path, opened):
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        path.write_bytes(b"%d" % i)
    opened.clear()
    memo = Memo()
    first = digest_images([*paths, RGB, paths[0]], memo)
    assert (len(memo.reads), len(memo.writes), len(memo.known)) == (1, 1, 5)
    assert sorted(opened) == [path.name for path in paths]
    opened.clear()
    assert digest_images([*paths, RGB, paths[0]], memo) == first
    assert opened == []
    assert (len(memo.reads), len(memo.writes)) == (2, 1)


@pytest.mark.usefixtures("later")
def test_only_unknown_files_are_read(tmp_path, opened):
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    old.write_bytes(b"old")
    memo = Memo()
    _digest(old, memo)
    new.write_bytes(b"new")
    opened.clear()
    assert digest_images([old, new], memo) == digest_images([b"old", b"new"])
    assert opened == ["new.png"]


@pytest.mark.usefixtures("later")
def test_a_remembered_digest_is_used():
    memo = Memo()
    memo.read_file_digests = lambda keys: [b"m" * 16 for _ in keys]
    assert _digest(__file__, memo) == b"m" * 16


@pytest.mark.usefixtures("later")
def test_a_relative_path_is_remembered_by_its_absolute_one(tmp_path, monkeypatch):
    memo = Memo()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(folder.encode())
        monkeypatch.chdir(tmp_path / folder)
        assert _digest("a.png", memo) == _digest(folder.encode())
    _digest(tmp_path / "two" / "a.png", memo)
    assert len(memo.known) == 2


@pytest.mark.usefixtures("later")
def test_a_changed_file_is_read_again_even_with_its_old_size_and_time(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    memo = Memo()
    _digest(path, memo)
    before = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert _digest(path, memo) == _digest(b"two")
    other = tmp_path / "other"
    other.write_bytes(b"six")
    other.replace(path)
    assert _digest(path, memo) == _digest(b"six")


def test_a_file_written_just_now_is_not_remembered(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"now")
    memo = Memo()
    assert _digest(path, memo) == _digest(b"now")
    assert memo.known == {}
    assert memo.writes == []


@pytest.mark.usefixtures("later")
def test_a_file_with_a_time_in_the_future_is_not_remembered(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    future = time.time_ns() + 3_600_000_000_000
    os.utime(path, ns=(future, future))
    memo = Memo()
    _digest(path, memo)
    assert memo.known == {}


@pytest.mark.usefixtures("later")
def test_files_that_cannot_be_read_are_not_remembered(tmp_path):
    memo = Memo()
    digest_images([tmp_path / "absent", tmp_path, None], memo)
    assert (memo.reads, memo.writes) == ([], [])


def test_a_file_that_changes_between_digest_and_decoding_is_noticed(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(_png(RGB))
    digest = _digest(path)
    geometry = Geometry((6, 5), None)
    np.testing.assert_array_equal(load_pixels(path, geometry, digest=digest), RGB)
    path.write_bytes(_png(RGB[::-1]))
    with pytest.raises(BadCellError, match=r"the file has changed.*run it again"):
        load_pixels(path, geometry, digest=digest)
