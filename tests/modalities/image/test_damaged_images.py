"""Damaged image files of every format give pixels or a bad cell, without crashes or hangs."""

import functools
import os
import signal
import time

import pytest
from PIL import Image

from sktransfer.modalities.image import decode_image
from sktransfer.modalities.image._decode import decodable_formats
from tests.faults.image_fuzz import read_cell, run, whole_files

FORMATS = {format for format, _ in whole_files()}


def _fail(folder, content):
    trial = len(list(folder.iterdir()))
    (folder / str(trial)).touch()
    if trial == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if trial == 4:
        time.sleep(600)
    if trial == 6:
        raise KeyError(trial)
    return "pixels"


@pytest.mark.slow
def test_crashes_hangs_and_other_errors_are_counted_and_the_trials_continue(tmp_path):
    counts = run(8, read=functools.partial(_fail, tmp_path), seconds=2)
    assert counts == {"pixels": 5, "refused": 0, "wrong": 1, "crashed": 1, "hung": 1}


def test_undamaged_files_of_supported_formats_give_pixels_and_others_do_not():
    assert set(decodable_formats()) <= FORMATS
    assert {"TGA", "PCX", "EPS", "QOI"} <= FORMATS - set(decodable_formats())
    for format, content in whole_files():
        assert read_cell(content) == ("pixels" if format in decodable_formats() else "refused"), (
            format
        )


def test_every_supported_format_is_known_to_pillow():
    Image.init()
    assert set(decodable_formats()) <= set(Image.OPEN)
    assert not {"EPS", "WMF"} & set(decodable_formats())


def test_no_program_is_started_for_a_postscript_file(monkeypatch):
    monkeypatch.setattr("subprocess.check_call", None)
    monkeypatch.setattr("subprocess.Popen", None)
    content = dict(whole_files())["EPS"]
    assert read_cell(content) == "refused"


def test_damaged_files_give_pixels_or_a_bad_cell():
    counts = run(4_000, seed=1)
    assert counts.total() == 4_000
    assert counts["pixels"] > 300
    assert counts["refused"] > 300
    assert (counts["wrong"], counts["crashed"], counts["hung"]) == (0, 0, 0)


@pytest.mark.slow
def test_many_damaged_files_give_pixels_or_a_bad_cell():
    counts = run(100_000, seed=2)
    assert (counts["wrong"], counts["crashed"], counts["hung"]) == (0, 0, 0)


@pytest.mark.parametrize(
    "format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000"]
)
def test_a_file_that_ends_early_is_refused_wherever_it_ends(format):
    content = dict(reversed(whole_files()))[format]
    whole = decode_image(content)
    for end in range(0, len(content), 1 + len(content) // 150):
        if read_cell(content[:end]) == "pixels":  # the missing end contained no pixels
            assert (decode_image(content[:end]) == whole).all(), f"{end} of {len(content)}"
