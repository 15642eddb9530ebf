"""Recordings of any length written down window by window."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from sktransfer.backbones.speech._speech_model import SpeechModel
from sktransfer.backbones.speech._whisper_vocabulary import WhisperVocabulary
from sktransfer.backbones.speech._wordless import is_wordless

# A text that zlib makes this many times smaller is one that goes round in circles; Whisper's own
# value. The search is then repeated without runs of tokens that come twice.
_CIRCLES = 2.4
_RUN = 4
# Probability of no speech above which nothing is said in a window. With whisper-tiny.en it is at
# most .39 for words and sentences, half a minute of noise before them or not, and at least .88 for
# noise of any level.
_NO_SPEECH = 0.5
# A window goes on by this many seconds at least, and what is left of one is no shorter.
_LEAST = 0.2


class Segment(NamedTuple):
    """A part of a transcript.

    Attributes
    ----------
    start, end : float
        Seconds from the start of the recording.
    text : str
        What is said.
    """

    start: float
    end: float
    text: str


@dataclass
class _Recording:
    """A recording that is being written down.

    Attributes
    ----------
    samples : ndarray of shape (n,)
        At the rate of the model.
    language : str or None
        Code of its language; None until it is known.
    at : int
        Sample up to which it is written down.
    segments : list of Segment
        What was heard so far.
    """

    samples: np.ndarray
    language: str | None
    at: int = 0
    segments: list[Segment] = field(default_factory=list)

    def seek_sound(self, longest: int) -> bool:
        """Skip windows of silence and tones, and return whether there is another one."""
        while self.at < len(self.samples):
            if not is_wordless(self.samples[self.at : self.at + longest]):
                return True
            self.at += longest
        return False


def transcribe(
    model: SpeechModel, recordings: Sequence[np.ndarray], *, language: str | None, beam_size: int
) -> list[list[Segment]]:
    """Write down recordings together, each as if it was alone.

    Parameters
    ----------
    model : SpeechModel
        Hears windows of up to 30 seconds.
    recordings : sequence of ndarray of shape (samples,)
        At the rate of the model.
    language : str or None
        Code of the language; None to detect it in the first window with speech.
    beam_size : int
        Number of hypotheses that the search follows.

    Returns
    -------
    list of list of Segment
        Of each recording.

    References
    ----------
    .. [1] Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022,
       section 3.8: a window starts where the last segment of the one before ends.
    """
    if not model.is_multilingual:
        language = "en"
    all_of_them = [_Recording(samples, language) for samples in recordings]
    going = all_of_them
    while going := [found for found in going if found.seek_sound(model.recipe.longest)]:
        _advance(model, going, beam_size)
    return [recording.segments for recording in all_of_them]


def _advance(model: SpeechModel, recordings: list[_Recording], beam_size: int) -> None:
    """Write down the next window of each recording."""
    longest, rate = model.recipe.longest, model.recipe.sampling_rate
    windows = [found.samples[found.at : found.at + longest] for found in recordings]
    encoded = model.encode(model.features(windows))
    spoken = [i for i, p in enumerate(model.no_speech(encoded)) if p <= _NO_SPEECH]
    found = _hear(model, [recordings[i] for i in spoken], encoded[spoken], beam_size)
    tokens = dict(zip(spoken, found, strict=True))
    for number, (recording, window) in enumerate(zip(recordings, windows, strict=True)):
        begin, seconds = recording.at / rate, len(window) / rate
        segments, until = read_segments(tokens.get(number, []), model.vocabulary, seconds)
        recording.segments += [
            Segment(round(begin + start, 3), round(begin + end, 3), text)
            for start, end, text in segments
        ]
        recording.at += round(until * rate)


def _hear(
    model: SpeechModel, recordings: list[_Recording], encoded: Any, beam_size: int
) -> list[list[int]]:
    """Return the tokens of a window of each recording."""
    if not recordings:
        return []
    if any(recording.language is None for recording in recordings):
        for recording, code in zip(recordings, model.detect(encoded), strict=True):
            recording.language = recording.language or code
    prompts = model.prompts([str(recording.language) for recording in recordings])
    found = model.generate(encoded, prompts, beam_size=beam_size, no_repeats=0)
    again = [i for i, tokens in enumerate(found) if _goes_in_circles(model, tokens)]
    if again:
        some = encoded[again], [prompts[i] for i in again]
        other = model.generate(*some, beam_size=beam_size, no_repeats=_RUN)
        found = [other.pop(0) if i in again else tokens for i, tokens in enumerate(found)]
    return found


def _goes_in_circles(model: SpeechModel, tokens: list[int]) -> bool:
    text = model.vocabulary.text(tokens).encode()
    return len(text) > _CIRCLES * len(zlib.compress(text))


def read_segments(
    tokens: Sequence[int], vocabulary: WhisperVocabulary, seconds: float
) -> tuple[list[Segment], float]:
    """Return the segments of a window, and the time up to which it is written down.

    Parameters
    ----------
    tokens : sequence of int
        As a model generates them: time, text, time, time, text, time, ...
    vocabulary : WhisperVocabulary
        Of the model.
    seconds : float
        Length of the window.
    """
    segments: list[Segment] = []
    words: list[int] = []
    start = 0.0
    for token in tokens:
        time = vocabulary.seconds(token)
        if time is None:
            words.append(token)
            continue
        if words:
            segments.append(Segment(start, min(time, seconds), vocabulary.text(words)))
        start, words = time, []
    # A segment without an end goes on behind the window. It is heard again, unless it is the first.
    is_cut = bool(words) or (len(tokens) > 1 and vocabulary.seconds(tokens[-2]) is not None)
    goes_on = bool(segments) and is_cut and _LEAST < start < seconds - _LEAST
    if words and not goes_on:
        segments.append(Segment(start, seconds, vocabulary.text(words)))
    return [segment for segment in segments if segment.text], start if goes_on else seconds
