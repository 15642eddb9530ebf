"""Seconds of sounds, silenced and drawn."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sktransfer import AudioEmbedder
from sktransfer.modalities.audio import AudioModality, AudioRecipe
from sktransfer.modalities.audio._audio_parts import AudioParts

RATE = 1_000


def parts_of(seconds):
    samples = np.random.default_rng(0).normal(size=round(seconds * RATE)).astype(np.float32)
    return AudioParts(samples, RATE)


@pytest.mark.parametrize(
    ("seconds", "n", "first"),
    [
        (40, 40, 1.0),
        (20.3, 20, 1.0),
        (20.6, 21, 1.0),
        (8, 16, 0.5),
        (0.1, 5, 0.02),
        (0.001, 1, 0.001),
    ],
)
def test_parts_are_seconds_or_less_of_short_sounds(seconds, n, first):
    parts = parts_of(seconds)
    found = parts.split(parts.whole, 999)
    assert len(found) == n
    assert found[0] == (0, round(first * RATE))
    assert found[-1][1] == round(seconds * RATE)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))


def test_long_sounds_are_cut_into_whole_seconds_and_these_further():
    parts = parts_of(600)
    coarse = parts.split(parts.whole, 32)
    assert len(coarse) == 32
    assert all(start % RATE == 0 for start, _ in coarse)
    fine = parts.split(coarse[3], 99)
    assert (fine[0][0], fine[-1][1]) == coarse[3]
    assert {end - start for start, end in fine} == {RATE}
    assert len(parts.split(fine[0], 2)) == 1


def test_a_part_is_silent_and_the_rest_stays():
    parts = parts_of(2)
    whole, other = parts.without(None), parts.without((500, 900))
    assert whole["sampling_rate"] == RATE
    assert not other["array"][500:900].any()
    np.testing.assert_array_equal(other["array"][900:], whole["array"][900:])
    assert whole["array"][500:900].any()


def test_sounds_are_read_at_the_rate_of_the_network():
    cell = (8_000, np.zeros(4_000, dtype=np.int16))
    whole = AudioModality().parts(cell, AudioRecipe(sampling_rate=16_000)).without(None)
    assert (len(whole["array"]), whole["sampling_rate"]) == (8_000, 16_000)
    cell = np.random.default_rng(0).normal(scale=0.1, size=8_000).astype(np.float32)
    embedder = AudioEmbedder("log-mel", sampling_rate=16_000, cache=False)
    recipe = AudioRecipe(sampling_rate=16_000)
    copy = embedder._modality().parts(cell, recipe).without(None)
    expected = embedder.fit_transform([cell])
    np.testing.assert_allclose(embedder.transform([copy]), expected, rtol=1e-5)


def test_weights_are_in_seconds_and_drawn():
    parts = parts_of(20)
    seconds = parts.split(parts.whole, 99)
    found = parts.weighted(seconds, np.arange(20.0) - 10)
    assert found[3] == (3.0, 4.0, -7.0)
    assert found.largest == 10
    assert found.describe() == "0-1 s -10.000, 1-2 s -9.000, 19-20 s +9.000"
    figure, ax = plt.subplots()
    found.draw(ax, 10.0)
    assert ax.get_xlim() == (0, 20)
    plt.close(figure)
    html = found.to_html(10.0)
    assert html.startswith("<svg")
    assert html.count("<rect") == 20


def test_silence_is_drawn():
    parts = AudioParts(np.zeros(3, dtype=np.float32), RATE)
    found = parts.weighted([parts.whole], [0.0])
    figure, ax = plt.subplots()
    found.draw(ax, 1.0)
    plt.close(figure)
    assert "nan" not in found.to_html(1.0)
