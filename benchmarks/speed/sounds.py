"""Features of sounds, compared with bare forward passes and transformers' documented loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from benchmarks._measure import bundled_whisper
from benchmarks._table import OURS, Case, take_turns
from docs.examples._data import speakers
from sktransfer import AudioEmbedder
from sktransfer.backbones import get_backbone
from sktransfer.modalities.audio import AudioModality

PADDED, BASELINE = f"{OURS}, pad_clips=True", f'{OURS}, "log-mel"'
BARE = "the same forward passes one by one, on decoded clips"
DOCUMENTED = "transformers, as documented: clips of 30 s, 8 per batch"


def decoded(paths: np.ndarray) -> list[np.ndarray]:
    """Return the samples of each recording at 16 kHz."""
    preparer = AudioModality().bind(get_backbone("whisper-tiny.en", modality="audio"))
    return [preparer.prepare(path, None) for path in paths]


def bare_forward(clips: list[np.ndarray]) -> Callable[[], object]:
    """Return the encoder on one clip after another, on all cores."""
    backbone = get_backbone("whisper-tiny.en", modality="audio")
    inputs = [backbone.recipe.inputs([clip]) for clip in clips]

    def run() -> None:
        with torch.inference_mode():
            for one in inputs:
                backbone.network(one)

    return run


def documented(clips: list[np.ndarray]) -> Callable[[], object]:
    """Return transformers' feature extractor and encoder."""
    from transformers import WhisperFeatureExtractor

    extract, encoder = WhisperFeatureExtractor(), bundled_whisper().encoder.eval()

    def run() -> None:
        with torch.inference_mode():
            for start in range(0, len(clips), 8):
                batch = extract(clips[start : start + 8], sampling_rate=16_000, return_tensors="pt")
                encoder(batch.input_features).last_hidden_state.mean(1)

    return run


def measure(repeats: int) -> list[Case]:
    """Measure 200 recordings of about two seconds."""
    paths = speakers(per_source=4)[0]
    clips = decoded(paths)
    seconds = sum(map(len, clips)) / 16_000
    alternatives = {
        OURS: _embed(paths),
        BARE: bare_forward(clips),
        BASELINE: _embed(paths, backbone="log-mel"),
        PADDED: _embed(paths[:16], pad_clips=True),
        DOCUMENTED: documented(clips[:16]),
    }
    times = take_turns(alternatives, repeats)
    per_second = np.median(times[OURS]) / seconds
    whole = Case(
        f"{len(paths)} recordings, {seconds:.0f} s of sound, files",
        {way: times[way] for way in (OURS, BARE, BASELINE)},
        least={BARE: 1 / 1.1},
        remark=f"{1000 * per_second:.1f} ms per second of sound.",
    )
    padded = Case(
        "40 recordings, clips of 30 s",
        {way: times[way] for way in (PADDED, DOCUMENTED)},
        ours=PADDED,
    )
    for case in (whole, padded):
        print("\n".join(case.lines()), flush=True)
    return [whole, padded]


def _embed(paths: np.ndarray, **options: object) -> Callable[[], object]:
    embedder = AudioEmbedder(cache=False, **options).fit(paths)
    return lambda: embedder.transform(paths)
