"""Digests, batches and remarks of a column of sounds."""

import warnings
import weakref

import numpy as np
import pandas as pd
import pytest
import torch

from sktransfer import AudioEmbedder, cache_info
from sktransfer.backbones import get_backbone
from sktransfer.exceptions import (
    BadCellError,
    BadCellWarning,
    ColumnError,
    LeftOutWarning,
    LevelWarning,
)
from sktransfer.modalities.audio import AudioModality, _audio_modality
from tests._tiny import sounds
from tests.modalities._memos import NoMemo
from tests.modalities.audio._bad_sounds import MP3, OGG, OPUS, WAV
from tests.modalities.audio._sound_files import RATE, encoded, noise, sine


@pytest.fixture(autouse=True)
def _own_cache(cache_folder):
    """Start every test with an empty cache."""


def _digests(cells, **options):
    return AudioModality(**options).digest(cells, NoMemo())[1]


def _embedder(**options):
    return AudioEmbedder("log-mel", **{"sampling_rate": RATE, "device": "cpu", **options})


# Digests ----------------------------------------------------------------------------------


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    (tmp_path / "a.wav").write_bytes(WAV)
    (tmp_path / "b").write_bytes(WAV)
    (tmp_path / "link").symlink_to(tmp_path / "a.wav")
    cells = [tmp_path / "a.wav", str(tmp_path / "a.wav"), tmp_path / "b", tmp_path / "link"]
    cells += [WAV, bytearray(WAV), memoryview(WAV), {"bytes": WAV, "path": "c.wav"}]
    cells += [{"bytes": None, "path": str(tmp_path / "a.wav")}]
    assert len(set(_digests(cells))) == 1
    assert len(set(_digests([WAV], sampling_rate=RATE) + _digests([WAV]))) == 1
    rows = _embedder().fit_transform(cells)
    assert (rows == rows[0]).all()
    assert cache_info().rows == 1


def test_an_array_has_the_digest_of_its_values_and_its_rate():
    x = sine(440, 0.1)
    same = [
        (RATE, x),
        (x, RATE),
        (float(RATE), x),
        (np.int64(RATE), x),
        (RATE, torch.from_numpy(x)),
    ]
    same += [{"array": x, "sampling_rate": RATE}, (RATE, x.copy()), (RATE, x.repeat(2)[::2])]
    assert len(set(_digests(same))) == 1
    assert _digests([x], sampling_rate=RATE) == _digests(same[:1])
    stereo = noise(1_600, 2)
    assert (
        len(set(_digests([(RATE, stereo), (RATE, stereo.T), (RATE, np.asfortranarray(stereo))])))
        == 1
    )
    others = [(8_000, x), (RATE, x[:-1]), (RATE, -x), (RATE, x.astype(float)), WAV, MP3]
    others += [(RATE, stereo), (RATE, stereo[:, ::-1]), (RATE, (x * 9_999).astype(np.int16))]
    found = _digests(others + same[:1])
    assert len(set(found)) == len(found)
    assert all(len(digest) == 16 for digest in found)


def test_another_sampling_rate_of_plain_arrays_gives_other_rows():
    x = sounds(3)
    first = _embedder().fit_transform(x)
    second = _embedder().set_params(sampling_rate=8_000).fit_transform(x)
    assert (first != second).any(axis=1).all()
    np.testing.assert_array_equal(_embedder().fit_transform(x), first)


# Columns ----------------------------------------------------------------------------------


def test_a_table_of_samples_needs_a_rate():
    table = np.stack([noise(1_600), noise(1_600, seed=1)])
    with pytest.raises(ColumnError, match=r"shape \(2, 1600\) .* only with sampling_rate="):
        AudioEmbedder("log-mel").fit(table)
    rows = _embedder().fit_transform(table)
    np.testing.assert_array_equal(_embedder(cache=False).fit_transform(list(table)), rows)
    with pytest.raises(ColumnError, match=r"2 columns .* pass a table of samples as an array"):
        _embedder().fit(pd.DataFrame(table[:, :2]))
    with pytest.raises(ColumnError, match="is the number"):
        _embedder().fit(table[0])
    with pytest.raises(ColumnError, match="is one cell, not a column"):
        _embedder().fit("a.wav")


@pytest.mark.parametrize("rate", [0, 1, 99, 10_000_001, 16e3, True])
def test_a_wrong_rate_is_an_error_of_the_parameter_and_not_of_each_cell(rate):
    with pytest.raises(ValueError, match=r"'sampling_rate' .* \[100, 10000000\]"):
        _embedder(sampling_rate=rate, on_error="nan").fit(sounds(2))


# Bad cells --------------------------------------------------------------------------------


def test_the_duration_limit_is_the_parameter():
    cells = [(RATE, noise(RATE)), encoded(noise(2 * RATE)), encoded(noise(3 * RATE), format="FLAC")]
    with pytest.raises(BadCellError, match=r"row 1: .*2 seconds is longer than 1.5; .*raise max"):
        _embedder(max_duration=1.5).fit_transform(cells)
    with pytest.warns(BadCellWarning, match="1 of 3 rows"):
        rows = _embedder(max_duration=2.5, on_error="nan").fit_transform(cells)
    assert np.isnan(rows).all(axis=1).tolist() == [False, False, True]


# Remarks ----------------------------------------------------------------------------------


def test_loud_floats_are_used_and_named_once():
    x = sine(440, 0.2)
    column = [x, x * 30_000, *sounds(2), x * 3, (x * 30_000).astype(np.int16)]
    match = r"^2 of 6 recordings have samples outside \[-1, 1\].*The first is row 1\.$"
    with pytest.warns(LevelWarning, match=match) as caught:
        rows = _embedder(cache=False).fit_transform(column)
    assert len(caught) == 1
    assert np.isfinite(rows).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clipped = np.sign(noise(8_000))  # overshoots by a factor of 2 when it is resampled
        _embedder().fit_transform([x, x * 2, np.zeros(999, np.float32), (8_000, clipped)])
        _embedder().fit_transform([encoded(noise(800) * 30)])


def test_several_recordings_in_a_file_are_named_and_the_first_is_used():
    match = r"^3 of 5 files hold several recordings .* only the first is used.*is row 2\.$"
    with pytest.warns(LeftOutWarning, match=match):
        rows = _embedder(cache=False).fit_transform([OGG, MP3, OGG + OGG, OPUS + OGG, MP3 + MP3])
    np.testing.assert_allclose(rows[[2, 4]], rows[:2], rtol=1e-5, atol=1e-6)


def test_a_recording_that_a_network_cannot_take_as_a_whole_is_named():
    preparer = AudioModality().bind(get_backbone("log-mel", modality="audio"))
    longest = preparer.recipe.longest
    item = preparer.prepare((RATE, noise(longest + 9)), b"digest")
    assert len(item) == longest
    assert item.base is None  # not the whole recording
    ((remark, digests),) = preparer.remarks.items()
    assert (remark.category, digests) == (LeftOutWarning, {b"digest"})


# Batches ----------------------------------------------------------------------------------


def test_rows_are_grouped_by_length_and_keep_their_features():
    column = sounds(150)
    embedder = _embedder(cache=False)
    rows = embedder.fit_transform(column)
    for row in (0, 70, 149):
        np.testing.assert_allclose(
            rows[row], embedder.transform(column[row : row + 1])[0], rtol=1e-5, atol=1e-6
        )
    one_by_one = embedder.set_params(batch_size=1).transform(column)
    np.testing.assert_allclose(rows, one_by_one, rtol=1e-5, atol=1e-6)


def test_the_mean_over_chunks_does_not_depend_on_other_rows():
    column = [noise(size) for size in (RATE, 70 * RATE, 2 * RATE, 95 * RATE, RATE)]
    embedder = _embedder(cache=False)
    rows = embedder.fit_transform(column)
    for row, cell in enumerate(column):
        np.testing.assert_allclose(rows[row], embedder.transform([cell])[0], rtol=1e-5, atol=1e-6)
    chunks = np.array_split(column[1], 3)
    np.testing.assert_allclose(
        rows[1], embedder.transform(chunks).mean(axis=0), rtol=1e-4, atol=1e-5
    )


def test_few_long_recordings_are_in_memory_at_a_time(monkeypatch):
    alive, most = set(), []
    decode = _audio_modality.decode_audio

    def counted(cell, *args, **options):
        decoded = decode(cell, *args, **options)
        alive.add(id(decoded.samples))
        weakref.finalize(decoded.samples, alive.discard, id(decoded.samples))
        most.append(len(alive))
        return decoded

    monkeypatch.setattr(_audio_modality, "decode_audio", counted)
    # In the same proportion as ten minutes to the 20 seconds of a batch.
    monkeypatch.setattr(_audio_modality, "_CPU_SECONDS", 0.1)
    column = [(RATE, np.roll(noise(3 * RATE), shift)) for shift in range(40)]
    assert np.isfinite(_embedder(cache=False).fit_transform(column)).all()
    assert len(most) == 40
    assert max(most) <= 10


def test_progress_counts_rows(capsys):
    _embedder(cache=False, verbose=1).fit_transform([*sounds(20), noise(70 * RATE)])
    shown = "".join(capsys.readouterr())
    assert "21/21" in shown
