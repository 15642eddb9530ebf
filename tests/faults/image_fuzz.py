"""Damaged image files: each must give pixels or a BadCellError, without a crash or a hang.

``run(trials, seed)`` counts the outcomes of damaged files; ``python -m
tests.faults.image_fuzz [trials] [seed]`` prints them by format. Files of every format that
Pillow both writes and opens are damaged, including formats that are refused.
"""

from __future__ import annotations

import contextlib
import functools
import io
import multiprocessing
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from PIL import Image

from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import Geometry, decode_image

OUTCOMES = ("pixels", "refused", "wrong", "crashed", "hung")
"""An array as it should be; a BadCellError; anything else that came back; and nothing did."""

Read = Callable[[bytes], Any]
Files = list[tuple[str, bytes]]
Work = tuple[Read, int, range, Files]

_SIDE = 8
_SECONDS_TO_START = 120.0
_BYTES_OF_MEMORY = 4 << 30

# Variants of formats that use other code paths of a decoder.
_VARIANTS: list[tuple[str, str, dict[str, Any]]] = [
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "RGB", {"restart_marker_rows": 1}),
    ("JPEG", "L", {}),
    ("JPEG", "CMYK", {}),
    ("PNG", "P", {"transparency": 3}),
    ("PNG", "LA", {}),
    ("PNG", "I;16", {}),
    ("PNG", "1", {}),
    ("GIF", "P", {"save_all": True, "transparency": 3}),
    ("PNG", "RGB", {"save_all": True}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("WEBP", "RGB", {"save_all": True}),
    ("AVIF", "RGBA", {}),
    ("JPEG2000", "RGBA", {"irreversible": True}),
    ("ICO", "RGBA", {"sizes": [(16, 16)], "bitmap_format": "bmp"}),
    ("TIFF", "RGBA", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "L", {"compression": "packbits"}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "F", {}),
    ("BMP", "P", {}),
    ("PPM", "I", {}),
    ("TGA", "RGB", {"compression": "tga_rle"}),
]
# Pillow writes these in one mode only.
_MODES = {"MSP": "1", "XBM": "1", "SPIDER": "F", "BLP": "P", "PCX": "P"}


def run(
    trials: int,
    seed: int = 0,
    *,
    read: Read | None = None,
    files: Files | None = None,
    seconds: float = 10.0,
) -> Counter[str]:
    """Damage files and return the number of each of `OUTCOMES`.

    Parameters
    ----------
    trials : int
        Number of damaged files.
    seed : int
        Determines the damage.
    read : callable, optional
        Function under test, in a child process; by default the decoding of image cells.
    files : list of (str, bytes), optional
        Formats and files that are damaged; by default `whole_files`.
    seconds : float
        Time after which a file counts as hung.

    Returns
    -------
    Counter
    """
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    found = results(trials, seed, read=read, files=files, seconds=seconds)
    counts.update(outcome for _, outcome in found)
    return counts


def results(
    trials: int,
    seed: int = 0,
    *,
    read: Read | None = None,
    files: Files | None = None,
    seconds: float = 10.0,
) -> Iterator[tuple[int, str]]:
    """Yield the number of each trial and its outcome; `damaged` gives its file again."""
    files, done = files or whole_files(), 0
    while done < trials:
        work = (read or read_cell, seed, range(done, trials), files)
        for outcome in _in_child(work, seconds):
            yield done, outcome
            done += 1


def damaged(seed: int, trial: int, files: Files) -> tuple[str, bytes]:
    """Return the format and the damaged content of one trial."""
    rng = np.random.default_rng([seed, trial])
    format, content = files[trial % len(files)]
    for _ in range(rng.integers(1, 4)):
        content = _damage(content, rng)
    return format, content


@functools.cache
def whole_files() -> Files:
    """Return undamaged files of every format that Pillow writes and opens, and variants of some."""
    Image.init()
    plain = [(name, _MODES.get(name, "RGB"), {}) for name in Image.SAVE if name in Image.OPEN]
    files = []
    for format, mode, options in sorted(plain) + _VARIANTS:
        # A codec may be missing, or only have a stub for writing.
        with (
            contextlib.suppress(OSError, KeyError, ValueError),
            warnings_ignored(module=r"PIL\."),
        ):
            files.append((format, _written(format, mode, options)))
    return files


def read_cell(content: bytes) -> str:
    """Return the outcome of one file as an image cell."""
    try:
        pixels = decode_image(content, Geometry(_SIDE, (_SIDE, _SIDE)), max_pixels=1_000_000)
    except BadCellError:
        return "refused"
    return "pixels" if pixels.shape == (_SIDE, _SIDE, 3) and np.isfinite(pixels).all() else "wrong"


def _written(format: str, mode: str, options: dict[str, Any]) -> bytes:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (16, 24, 3), dtype=np.uint8))
    picture = picture.resize((48, 32))
    if mode == "F":
        picture = Image.fromarray(np.asarray(picture.convert("L"), dtype=np.float32) / 255)
    elif mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), dtype=np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    if options.get("save_all"):
        options = {**options, "append_images": [picture.transpose(Image.Transpose.ROTATE_180)]}
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def _damage(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content)
    # Half of the damage is in headers, where lengths, sizes and tables are.
    limit = len(data) if rng.random() < 0.5 else min(len(data), 128)
    start = int(rng.integers(0, max(1, limit)))
    length = int(rng.integers(1, 65))
    match rng.integers(8):
        case 0 | 1 | 2 | 3 if data:
            data[min(start, len(data) - 1)] ^= 1 << int(rng.integers(8))
        case 4:
            data[start : start + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", rng.bytes(4)])
        case 5:
            del data[start:]
        case 6:
            del data[start : start + length]
        case _:
            data[start : start + length] = rng.bytes(length)
    return bytes(data)


# Trials run in a child, so that a crash or a hang is counted and does not end the run.


def _in_child(work: Work, seconds: float) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_try_all, args=(there, *work), daemon=True)
    child.start()
    there.close()
    try:
        if not here.poll(_SECONDS_TO_START) or here.recv() != "ready":
            raise RuntimeError("the child process does not start")
        for _ in work[2]:
            if not here.poll(seconds):
                yield "hung"
                return
            try:
                outcome = here.recv()
            except EOFError:
                yield "crashed"
                return
            yield outcome
    finally:
        child.kill()
        child.join()
        here.close()


def _try_all(there: Connection, read: Read, seed: int, trials: range, files: Files) -> None:
    _limit_memory()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes messages per file, from C
    there.send("ready")
    for trial in trials:
        try:
            outcome = read(damaged(seed, trial, files)[1])
        except Exception:
            outcome = "wrong"
        there.send(outcome)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_BYTES_OF_MEMORY, _BYTES_OF_MEMORY))


def main() -> None:
    """Print the outcomes per format."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    files = whole_files()
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for trial, outcome in results(trials, seed):
        table[files[trial % len(files)][0]][outcome] += 1
        if outcome not in ("pixels", "refused"):
            print(f"trial {trial} of seed {seed}: {outcome}")
    total = sum(table.values(), Counter())
    print(f"{'format':<10}", *(f"{name:>9}" for name in OUTCOMES))
    for format, counts in [*sorted(table.items()), ("all", total)]:
        print(f"{format:<10}", *(f"{counts[name]:>9,}" for name in OUTCOMES))


if __name__ == "__main__":
    main()
