"""Damaged sound files: each must give samples or a BadCellError, without a crash or a hang.

``run(trials, seed)`` counts the outcomes of damaged files; ``python -m tests.faults.sound_fuzz
[trials] [seed]`` prints them by format.
"""

from __future__ import annotations

import functools
import sys
from collections import Counter, defaultdict

import numpy as np

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.audio._decode_audio import decode_audio
from tests.faults import image_fuzz
from tests.modalities.audio._sound_files import FORMATS, ID3, RATE, encoded, mpeg_frames, noise

OUTCOMES = ("samples", *image_fuzz.OUTCOMES[1:])


def run(trials: int, seed: int = 0) -> Counter[str]:
    """Damage sound files and return the number of each of `OUTCOMES`; see `image_fuzz.run`."""
    return image_fuzz.run(trials, seed, read=read_cell, files=whole_files())


@functools.cache
def whole_files() -> image_fuzz.Files:
    """Return undamaged files of every format and encoding, and beginnings of files with noise."""
    files = [
        (" ".join(names), encoded(noise(1_600, channels), RATE, *names))
        for names in FORMATS
        for channels in (0, 2)
    ]
    frames = mpeg_frames(dict(files)["MP3 MPEG_LAYER_III"])
    files += [("MP3 without index", b"".join(frames[1:])), ("MP3 with tag", ID3 + frames[0] * 9)]
    beginnings = {content[:16] for _, content in files}
    random = np.random.default_rng(0)
    return files + [("beginning", start + random.bytes(2_000)) for start in sorted(beginnings)]


def read_cell(content: bytes) -> str:
    """Return the outcome of one file as a cell."""
    try:
        samples = decode_audio(content, RATE, max_duration=600.0).samples
    except BadCellError:
        return "refused"
    is_sound = samples.dtype == np.float32 and samples.ndim == 1 and len(samples)
    return "samples" if is_sound and np.isfinite(samples).all() else "wrong"


def main() -> None:
    """Print the outcomes per format."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    files = whole_files()
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for trial, outcome in image_fuzz.results(trials, seed, read=read_cell, files=files):
        table[files[trial % len(files)][0]][outcome] += 1
        if outcome not in ("samples", "refused"):
            print(f"trial {trial} of seed {seed}: {outcome}")
    print(f"{'format':<20}", *(f"{name:>9}" for name in OUTCOMES))
    for format, counts in sorted(table.items()):
        print(f"{format:<20}", *(f"{counts[name]:>9,}" for name in OUTCOMES))


if __name__ == "__main__":
    main()
