"""Every kind of cell of the same sound gives the same samples, at the rate of the network."""

import pathlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import soundfile
import torch

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.audio import AudioModality
from sktransfer.modalities.audio._decode_audio import decode_audio
from tests.modalities.audio._bad_sounds import MP3, OGG, WAV
from tests.modalities.audio._sound_files import (
    FORMATS,
    ID3,
    RATE,
    encoded,
    mpeg_frames,
    noise,
    sine,
    wav,
    wav_of_size,
)

RATES = [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000]
# Largest error of an encoding, as a share of full scale; noise at a tenth of it is encoded.
LOSSY = {"GSM610": 0.1, "ULAW": 0.01, "ALAW": 0.01, "PCM_U8": 0.01, "PCM_S8": 0.01, "PCM_16": 1e-4}


def _decode(cell, rate=RATE, **options):
    return decode_audio(cell, rate, **options).samples


def _level(samples):
    """Return the level in decibels below full scale."""
    return 20 * np.log10(np.abs(samples).max() + 1e-30)


# Cells ------------------------------------------------------------------------------------


def test_path_bytes_and_array_of_the_same_sound_give_the_same_samples(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(WAV)
    cells = [path, str(path), np.str_(path), pathlib.PurePath(path)]
    cells += [WAV, bytearray(WAV), memoryview(WAV), np.bytes_(WAV)]
    cells += [{"bytes": WAV, "path": "b.wav"}, {"bytes": None, "path": str(path)}, {"bytes": WAV}]
    expected = _decode(WAV)
    for cell in cells:
        np.testing.assert_array_equal(_decode(cell), expected)
        assert _decode(cell).dtype == np.float32


def test_every_kind_of_array_cell_gives_its_samples():
    x = sine(440, 0.1)
    decoded = SimpleNamespace(data=torch.from_numpy(x[None]), sample_rate=RATE)  # AudioSamples
    cells = [
        *((RATE, x), (x, RATE), [RATE, x], (RATE, x.tolist()), (np.int64(RATE), x), (16e3, x)),
        *((np.array(RATE), x), (torch.tensor(RATE), torch.from_numpy(x)), (RATE, pd.Series(x))),
        *({"array": x, "sampling_rate": RATE}, {"raw": x, "sampling_rate": RATE}),
        {"path": "a.wav", "array": x.tolist(), "sampling_rate": np.int32(RATE)},
        *(decoded, SimpleNamespace(get_all_samples=lambda: decoded)),  # AudioDecoder
    ]
    for cell in cells:
        np.testing.assert_array_equal(_decode(cell), x)
        np.testing.assert_array_equal(_decode(cell, sampling_rate=8_000), x)  # its own counts
    plain = [x, x.tolist(), tuple(x.tolist()), torch.from_numpy(x), pd.Series(x), pl.Series(x)]
    plain += [pa.array(x), x.astype(">f4"), x.astype(float), x[None], x[:, None]]
    for cell in plain:
        np.testing.assert_array_equal(_decode(cell, sampling_rate=RATE), x)


@pytest.mark.parametrize(
    "container",
    [
        list,
        np.stack,
        lambda sounds: torch.from_numpy(np.stack(sounds)),
        lambda sounds: np.stack(sounds)[:, None].repeat(2, axis=1),  # (n, channels, samples)
        lambda sounds: torch.from_numpy(np.stack(sounds)[:, None]),  # of one channel
        lambda sounds: [x.tolist() for x in sounds],
        lambda sounds: pd.Series(sounds),
        lambda sounds: pd.DataFrame({"call": sounds}),
        lambda sounds: pl.Series([x.tolist() for x in sounds]),
        lambda sounds: pl.Series(np.stack(sounds)),  # Array
        lambda sounds: pl.DataFrame({"call": sounds}),
        lambda sounds: pa.array(sounds),
        lambda sounds: pa.table({"call": sounds}),
        lambda sounds: pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack(sounds)),
        lambda sounds: pl.Series([{"array": x, "sampling_rate": RATE} for x in sounds]),
        lambda sounds: pa.array([{"bytes": encoded(x, subtype="FLOAT")} for x in sounds]),
        lambda sounds: pd.Series([encoded(x, subtype="FLOAT") for x in sounds]),
        lambda sounds: pl.Series([encoded(x, subtype="FLOAT") for x in sounds]),
    ],
)
def test_every_container_of_the_same_sounds_gives_the_same_samples(container):
    sounds = [noise(1_600, seed=seed) for seed in range(3)]
    cells = AudioModality(sampling_rate=RATE).column(container(sounds)).cells
    for cell, expected in zip(cells, sounds, strict=True):
        np.testing.assert_array_equal(_decode(cell, sampling_rate=RATE), expected)


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "u2", "i4", "u4"])
def test_integers_are_scaled_by_the_range_of_their_type(dtype):
    limits = np.iinfo(dtype)
    middle = (int(limits.min) + int(limits.max) + 1) // 2
    array = np.array([limits.min, middle, limits.max], dtype)
    found = _decode((RATE, array))
    np.testing.assert_allclose(found, [-1, 0, 1], atol=0.008)
    assert found[0] == -1
    assert found[1] == 0


def test_floats_stay_as_they_are():
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        np.testing.assert_array_equal(_decode((RATE, np.array([-3, 0.5, 7], dtype))), [-3, 0.5, 7])
    loud = encoded(np.array([-3, 0.5, 7]), subtype="DOUBLE")
    np.testing.assert_array_equal(_decode(loud), [-3, 0.5, 7])


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_several_channels_become_their_mean(channels):
    x = noise(1_600, channels)
    expected = x.mean(axis=1)
    for cell in ((RATE, x), (RATE, x.T), encoded(x, subtype="FLOAT"), torch.from_numpy(x)):
        found = _decode(cell, sampling_rate=RATE)
        np.testing.assert_allclose(found, expected, atol=1e-7)
    np.testing.assert_allclose(_decode(encoded(x, format="FLAC")), expected, atol=1e-4)


def test_a_sound_may_be_silent_or_one_sample():
    np.testing.assert_array_equal(_decode((RATE, np.zeros(99))), np.zeros(99))
    np.testing.assert_array_equal(_decode(encoded(np.zeros(99))), np.zeros(99))
    for rate in (RATE, *RATES[:3]):
        assert len(_decode((rate, np.ones(1)))) >= 1


def test_a_sound_may_be_longer_than_one_block():
    x = noise(1_500_000, 2)
    found = _decode(encoded(x, subtype="FLOAT"))
    np.testing.assert_allclose(found, x.mean(axis=1), atol=1e-7)
    np.testing.assert_array_equal(
        _decode((44_100, x)), _decode(encoded(x, 44_100, subtype="FLOAT"))
    )


# Files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "subtype"), FORMATS)
def test_every_format_is_decoded_from_a_path_and_from_bytes(format, subtype, tmp_path):
    x = 0.5 * sine(440) + 0.2 * sine(1_100)
    content = encoded(x, RATE, format, subtype)
    found = _decode(content)
    path = tmp_path / "without_a_suffix"
    path.write_bytes(content)
    np.testing.assert_array_equal(_decode(path), found)
    assert abs(len(found) - len(x)) < 1_100  # some encodings have whole blocks only
    inner = slice(2_000, 14_000)
    assert np.abs(found[inner] - x[inner]).max() < LOSSY.get(subtype, 0.05)
    if subtype in ("PCM_32", "FLOAT", "DOUBLE", "ALAC_32"):
        np.testing.assert_allclose(found, x, atol=1e-7)


@pytest.mark.parametrize("rate", [RATE, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_mpeg_stream_needs_no_tag_and_no_index(rate, channels):
    x = noise(40_000, channels)
    content = encoded(x, rate, "MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE")
    frames = mpeg_frames(content)
    bare = b"".join(frames[1:])
    assert b"Xing" in frames[0] or b"Info" in frames[0]
    whole = _decode(content, rate)
    assert len(whole) == len(x)
    for cell in (ID3 + content, ID3 + bytes(99) + content, content + b"TAG" + bytes(125)):
        np.testing.assert_array_equal(_decode(cell, rate), whole)
    # Without the index, nobody knows what the encoder has added at both ends.
    found = _decode(bare, rate)
    np.testing.assert_array_equal(_decode(ID3 + bare, rate), found)
    shift = 576
    np.testing.assert_allclose(
        found[shift : shift + len(x) - 2_000], whole[: len(x) - 2_000], atol=1e-4
    )


@pytest.mark.parametrize("format", ["FLAC", "OGG", "WAV"])
def test_a_tag_may_precede_other_formats(format):
    content = encoded(noise(1_600), format=format, subtype=soundfile.default_subtype(format))
    np.testing.assert_array_equal(_decode(ID3 + content), _decode(content))
    assert not decode_audio(ID3 + content, RATE).has_more


@pytest.mark.parametrize("content", [MP3, encoded(noise(1_600), format="FLAC")])
def test_several_tags_and_tags_with_a_footer_may_precede_a_sound(content):
    size = b"\0\0\0\x0a"
    footer = b"ID3\4\0\x10" + size + bytes(10) + b"3DI\4\0\x10" + size
    for tags in (ID3 + ID3, footer, footer + ID3, ID3 + footer + bytes(99)):
        np.testing.assert_array_equal(_decode(tags + content), _decode(content))


def test_a_flac_file_written_to_a_pipe_is_read_to_its_end(monkeypatch):
    content = encoded(noise(70_000), format="FLAC")
    # The number of samples in the header, 36 bits of 0 for unknown.
    piped = content[:21] + bytes([content[21] & 0xF0]) + bytes(4) + content[26:]
    np.testing.assert_array_equal(_decode(piped), _decode(content))
    monkeypatch.setattr("sktransfer.modalities.audio._decode_audio._BLOCK", 7_000)
    np.testing.assert_array_equal(_decode(piped), _decode(content))
    with pytest.raises(BadCellError, match=r"more than 4\.375 seconds is longer than 4;"):
        _decode(piped, max_duration=4)
    for end in (-1, -5_000, 100):
        with pytest.raises(BadCellError, match="damaged FLAC file"):
            _decode(piped[:end])


@pytest.mark.parametrize(
    ("size", "riff_size"),
    [
        (0xFFFFFFFF, None),  # ffmpeg, and most services
        (0xFFFFFFFF - 44, 0xFFFFFFFF),
        (0x7FFFF000, None),  # sox
        (0x7FFFFFFF, None),
        (0x80000000, None),  # arecord
    ],
)
def test_a_wav_file_written_to_a_pipe_is_read_to_its_end(size, riff_size):
    np.testing.assert_array_equal(_decode(wav_of_size(WAV, size, riff_size)), _decode(WAV))


@pytest.mark.parametrize(
    ("place", "value"),
    [(4, bytes(4)), (28, b"\1\0\0\0"), (32, b"\7\0")],
    ids=["no RIFF size", "byte rate", "block align"],
)
def test_numbers_in_a_wav_header_that_do_not_matter_may_be_wrong(place, value):
    content = WAV[:place] + value + WAV[place + len(value) :]
    np.testing.assert_array_equal(_decode(content), _decode(WAV))


@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "CAF"])
def test_both_byte_orders_are_read(format):
    big, little = (encoded(sine(440), RATE, format, endian=end) for end in ("BIG", "LITTLE"))
    assert big != little
    np.testing.assert_array_equal(_decode(big), _decode(little))


@pytest.mark.parametrize("behind", [b"LIST\x04\0\0\0INFO", bytes(1_000)])
def test_a_wav_file_may_have_other_chunks_behind_its_samples(behind):
    np.testing.assert_array_equal(_decode(WAV + behind), _decode(WAV))


def test_ogg_may_have_something_behind_its_last_page():
    np.testing.assert_array_equal(_decode(OGG + bytes(70_000)), _decode(OGG))


@pytest.mark.parametrize(
    "header", [{"channels": 1_000}, {"bits": 12}, {"align": 0}, {"align": 3}, {"rate": 100}]
)
def test_unusual_headers_are_read(header):
    assert np.isfinite(_decode(wav(**header))).all()


# Resampling -------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", RATES)
def test_resampling_is_exact_to_60_decibels_below_the_nyquist_frequency(rate):
    for frequency in (60, 440, 1_000, 2_500, 3_400, 6_000, 7_000):
        if frequency > 0.9 * min(rate, RATE) / 2:
            continue
        found = _decode((rate, sine(frequency, 1, rate)))
        expected = sine(frequency)
        assert len(found) == len(expected)
        inner = slice(1_600, -1_600)
        error = found[inner] - expected[inner]
        assert _level(error) - _level(expected) < -60, (rate, frequency)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_frequencies_above_the_nyquist_frequency_are_suppressed(rate):
    for frequency in (8_050, 9_000, 10_500):
        found = _decode((rate, sine(frequency, 1, rate)))
        assert _level(found[1_600:-1_600]) - _level(np.float32(0.5)) < -60, (rate, frequency)


@pytest.mark.parametrize("rate", RATES)
def test_resampling_does_not_shift_a_sound_in_time(rate):
    size = round(0.2 * rate)
    click = np.zeros(size, np.float32)
    click[size // 2] = 1
    found = _decode((rate, click))
    assert np.argmax(found) == round(size // 2 * RATE / rate)


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_a_file_is_resampled_as_its_samples(rate):
    x = noise(rate)
    np.testing.assert_array_equal(_decode(encoded(x, rate, subtype="FLOAT")), _decode((rate, x)))


def test_the_parts_of_a_long_sound_join_without_a_seam():
    x = sine(440, 50, 44_100)  # more than two blocks
    found = _decode((44_100, x))
    expected = sine(440, 50)
    np.testing.assert_allclose(found[1_600:-1_600], expected[1_600:-1_600], atol=1e-3 / 2)
