"""Every kind of bad image raises an error with advice; nothing hangs."""

import contextlib
import os
import re
import signal

import pytest

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import Geometry, decode_image
from tests.modalities.image._bad_images import CELLS, FILES, NOISE, PNG, encoded
from tests.modalities.image._digests import digests


@contextlib.contextmanager
def within_seconds(seconds):
    """Fail if the block takes longer than `seconds`."""

    def give_up(number, frame):
        raise AssertionError(f"still waiting after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _load(cell):
    return decode_image(cell, Geometry(8, (8, 8)))


@pytest.mark.parametrize("read", [decode_image, _load])
@pytest.mark.parametrize(("cell", "match"), CELLS.values(), ids=CELLS)
def test_a_bad_image_raises_an_error_with_advice(cell, match, read):
    with pytest.raises(BadCellError, match=match) as caught:
        read(cell)
    assert caught.value.row is None
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("make", "match"), FILES.values(), ids=FILES)
def test_a_bad_file_is_refused_without_blocking(make, match, tmp_path):
    path = make(tmp_path)
    for cell in (path, str(path)):
        with within_seconds(10), pytest.raises(BadCellError, match=match):
            decode_image(cell)
        (digest,) = digests([cell])
        assert isinstance(digest, bytes) or re.search(match, str(digest))


def test_a_pipe_that_replaces_a_file_does_not_block(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(PNG)
    os.mkfifo(tmp_path / "pipe")
    as_it_was = (tmp_path / "file").stat()
    with monkeypatch.context() as patched, within_seconds(10):
        patched.setattr(os, "stat", lambda path: as_it_was)
        with pytest.raises(BadCellError, match="is a named pipe, not a file"):
            decode_image(tmp_path / "pipe")
        (error,) = digests([tmp_path / "pipe"])
    assert "is a named pipe, not a file" in str(error)


@pytest.mark.parametrize("number", [13, 5, 6, 116])
def test_a_file_that_cannot_be_opened_is_a_bad_cell(number, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)

    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    # Not chmod: the superuser may read everything.
    monkeypatch.setattr(os, "open", refuse)
    match = rf"{os.strerror(number)}.*check the path and its permissions"
    with pytest.raises(BadCellError, match=match):
        decode_image(path)
    (error,) = digests([path])
    assert re.search(match, str(error))


# Damage that is not detected, as documented -------------------------------------------------


def test_changed_bytes_within_the_pixels_of_a_jpeg_are_not_detected():
    content = encoded(NOISE, "JPEG")
    position = len(content) - 300
    changed = content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
    assert (decode_image(changed) != decode_image(content)).any()
