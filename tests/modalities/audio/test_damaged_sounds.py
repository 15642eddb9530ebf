"""Damaged sound files of every format give samples or a bad cell, without crashes or hangs."""

import numpy as np
import pytest

from sktransfer.modalities.audio._content import _FORMATS
from sktransfer.modalities.audio._decode_audio import decode_audio
from tests.faults.sound_fuzz import read_cell, run, whole_files
from tests.modalities.audio._sound_files import FORMATS, RATE, encoded, noise

BAD = "wrong", "crashed", "hung"


def test_undamaged_files_give_samples():
    for name, content in whole_files():
        assert read_cell(content) == "samples" or name == "beginning", name
    assert {name for name, _ in FORMATS} == {*_FORMATS, "WAVEX", "RF64", "W64"}


def test_damaged_files_give_samples_or_a_bad_cell():
    counts = run(600, seed=1)
    assert counts.total() == 600
    assert counts["samples"] > 50
    assert counts["refused"] > 50
    assert [counts[name] for name in BAD] == [0, 0, 0]


@pytest.mark.slow
def test_many_damaged_files_give_samples_or_a_bad_cell():
    counts = run(10_000, seed=2)
    assert [counts[name] for name in BAD] == [0, 0, 0]


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\xff\xfb", b"fLaC", b"some,text\n"])
def test_noise_is_never_taken_for_a_sound(content):
    random = np.random.default_rng(0)
    for _ in range(200):
        noisy = content + random.bytes(int(random.integers(1, 5_000)))
        assert read_cell(noisy) == "refused", noisy[:20]


@pytest.mark.parametrize(("format", "subtype"), FORMATS)
def test_a_file_that_ends_early_is_refused_wherever_it_ends(format, subtype):
    is_packed = format in ("OGG", "MP3", "FLAC")
    content = encoded(noise(RATE if is_packed else 1_600), RATE, format, subtype)
    whole = decode_audio(content, RATE).samples
    for end in range(0, len(content), 1 + len(content) // 60):
        if read_cell(content[:end]) == "samples":  # the missing end contained no samples
            np.testing.assert_array_equal(decode_audio(content[:end], RATE).samples, whole)
