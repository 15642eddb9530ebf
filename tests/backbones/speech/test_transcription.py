"""Windows, segments and repetitions, with a model that says what the test wants."""

import numpy as np
import pytest

from sktransfer.backbones.speech import transcribe
from sktransfer.backbones.speech._transcription import read_segments
from sktransfer.backbones.speech._wordless import is_wordless
from sktransfer.modalities.audio import AudioRecipe
from tests._tiny import voices

RATE = 16_000
TIMES = 1_000


class Vocabulary:
    """Tokens below 1000 are letters or words, those from it on times in steps of 20 ms."""

    def seconds(self, token):
        return (token - TIMES) * 0.02 if token >= TIMES else None

    def text(self, tokens):
        return " ".join(f"w{token}" for token in tokens if token < TIMES)


def at(seconds):
    return TIMES + round(seconds / 0.02)


class Scripted:
    """A model that gives the next of its answers for each window, and notes the windows."""

    recipe = AudioRecipe()
    vocabulary = Vocabulary()
    is_multilingual = True

    def __init__(self, *answers, silences=(), detected="fr"):
        self.answers, self.silences, self.detected = list(answers), list(silences), detected
        self.windows, self.spoken, self.options = [], [], []

    def features(self, windows):
        self.windows += [len(window) / RATE for window in windows]
        return windows

    def encode(self, features):
        return np.zeros((len(features), 1))

    def no_speech(self, encoded):
        return [self.silences.pop(0) if self.silences else 0.0 for _ in encoded]

    def detect(self, encoded):
        return [self.detected] * len(encoded)

    def prompts(self, languages):
        self.spoken += languages
        return languages

    def generate(self, encoded, prompts, *, beam_size, no_repeats):
        self.options.append((beam_size, no_repeats))
        return [self.answers.pop(0) for _ in encoded]


def noise(seconds):
    return np.random.default_rng(0).normal(scale=0.1, size=round(seconds * RATE))


def heard(model, *recordings, language="en"):
    return transcribe(model, recordings, language=language, beam_size=3)


@pytest.mark.parametrize(
    ("tokens", "segments", "until"),
    [
        ([at(0), 1, 2, at(3)], [(0, 3, "w1 w2")], 30),
        ([at(0), 1, at(2), at(4), 2, at(9)], [(0, 2, "w1"), (4, 9, "w2")], 30),
        # The second segment goes on behind the window: it is heard again from its start.
        ([at(0), 1, at(2), at(20), 2], [(0, 2, "w1")], 20),
        ([at(0), 1, at(2), at(20)], [(0, 2, "w1")], 20),
        # A single segment without an end is all of the window.
        ([at(0), 1, 2], [(0, 30, "w1 w2")], 30),
        ([1, 2], [(0, 30, "w1 w2")], 30),
        ([at(0), 1, at(40)], [(0, 30, "w1")], 30),
        # Too little is left to be heard again.
        ([at(0), 1, at(29.9), at(29.9), 2], [(0, 30, "w1"), (30, 30, "w2")], 30),
        ([at(0)], [], 30),
        ([at(0), at(0)], [], 30),
        ([], [], 30),
    ],
)
def test_segments_and_the_start_of_the_next_window(tokens, segments, until):
    found, end = read_segments(tokens, Vocabulary(), 30)
    assert [(*map(round, part[:2]), part.text) for part in found] == segments
    assert end == pytest.approx(until)


def test_a_long_recording_goes_on_where_its_last_complete_segment_ends():
    model = Scripted([at(0), 1, at(10), at(25), 2], [at(0), 3, at(9)])
    (segments,) = heard(model, noise(40))
    assert model.windows == [30, 15]
    assert [(s.start, s.end, s.text) for s in segments] == [(0, 10, "w1"), (25, 34, "w3")]


def test_recordings_advance_together_each_by_its_own_windows():
    model = Scripted([at(0), 1, at(9)], [at(0), 2, at(9)], [at(0), 3, at(9)])
    short, long = heard(model, noise(10), noise(35))
    assert model.windows == [10, 30, 5]
    assert [s.text for s in short] == ["w1"]
    assert [s.text for s in long] == ["w2", "w3"]


def test_silent_windows_are_not_read():
    model = Scripted([at(0), 1, at(1)])
    (segments,) = heard(model, np.concatenate([np.zeros(60 * RATE), noise(2)]))
    assert model.windows == [2]
    assert segments == [(60, 61, "w1")]
    assert heard(Scripted(), np.full(RATE, 2.0**-13)) == [[]]
    assert heard(Scripted(), np.sin(np.arange(RATE))) == [[]]


def test_words_behind_a_loud_tone_are_read():
    model = Scripted([at(0), 1, at(1)])
    message = np.concatenate([np.sin(np.arange(5 * RATE)), 0.03 * noise(2)])
    assert len(heard(model, message)[0]) == 1


def test_windows_in_which_nothing_is_said_are_not_written_down():
    model = Scripted([at(0), 1, at(1)], [at(0), 2, at(1)], silences=[0.6, 0.4, 0.5])
    first, second = heard(model, noise(31), noise(1))
    assert model.windows == [30, 1, 1]  # all of the window is skipped
    assert [*first, *second] == [(30, 31, "w2"), (0, 1, "w1")]
    assert heard(Scripted(silences=[0.6]), noise(1)) == [[]]


def test_a_text_that_goes_round_in_circles_is_searched_for_again_without_repetitions():
    model = Scripted([at(0), *[1, 2] * 100], [at(0), 3, at(1)], [at(0), 4, at(1)])
    first, second = heard(model, noise(1), noise(1))
    assert [first[0].text, second[0].text] == ["w4", "w3"]
    assert model.options == [(3, 0), (3, 4)]
    # What still goes round in circles is kept.
    model = Scripted(*[[at(0), *[1, 2] * 100]] * 2)
    assert len(heard(model, noise(1))[0]) == 1


def test_the_language_is_detected_once_per_recording():
    model = Scripted(*[[at(0), 1, at(1)]] * 4)
    heard(model, noise(31), noise(31), language=None)
    assert model.spoken == ["fr"] * 4
    model = Scripted([at(0), 1, at(1)])
    heard(model, noise(1), language="de")
    assert model.spoken == ["de"]


def test_an_english_only_model_detects_nothing():
    model = Scripted([at(0), 1, at(1)])
    model.is_multilingual = False
    heard(model, noise(1), language=None)
    assert model.spoken == ["en"]


def test_the_loop_ends_whatever_a_model_says():
    model = Scripted(*[[at(0.1), 1, at(0.1), at(0.1), 2]] * 200)
    heard(model, noise(60))
    assert len(model.windows) == 2


def test_an_offset_does_not_make_words_a_tone():
    words = voices(1)[0] * 0.1
    for offset in (0.0, 0.1, -0.5):
        assert not is_wordless(words + offset)
    assert is_wordless(np.full(9_000, 0.5))
    assert is_wordless(0.5 + 0.4 * np.sin(np.arange(9_000)))


@pytest.mark.filterwarnings("error")
def test_a_click_at_the_end_of_silence_is_wordless():
    for click in ([0.9], [*np.zeros(600), 0.9], [*np.zeros(600), 0.9, -0.9]):
        assert is_wordless(np.array(click))


def test_times_are_rounded_to_milliseconds():
    model = Scripted([at(0), 1, at(2.76)])
    (segments,) = heard(model, noise(4))
    assert segments == [(0.0, 2.76, "w1")]
