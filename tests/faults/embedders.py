"""Faults of a transform: changing files, interrupts, too little memory for a batch."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sktransfer.exceptions import MemoryWarning, SktransferError
from tests.faults.trials import CRASHED, NOT_HIT, RIGHT, WRONG, start_child

_SIZE = 16

Outcomes = Callable[[Path, random.Random, int], Counter[str]]


def in_one_child(work: Outcomes) -> Callable[[int, int], Counter[str]]:
    """Return trials that all run in one child: torch is imported once, and not before a fork."""

    def run(trials: int, seed: int) -> Counter[str]:
        with tempfile.TemporaryDirectory() as name:
            told = Path(name) / "told"

            def child() -> str:
                # Those of the test runner would take interrupts for errors of their own.
                gc.callbacks.clear()
                sys.unraisablehook = sys.__unraisablehook__
                counts = work(Path(name), random.Random(seed), trials)
                told.write_text("\n".join(f"{number} {what}" for what, number in counts.items()))
                return RIGHT

            _, status = os.waitpid(start_child(child), 0)
            lines = told.read_text().splitlines() if status == 0 else []
        counts = Counter({what: int(n) for n, what in (line.split(" ", 1) for line in lines)})
        counts[CRASHED] += trials - sum(counts.values())  # trials not reported by a child that died
        counts["trials"] = trials
        return counts

    return run


def _network() -> Any:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    ).eval()


def _embedder(cache: Any, network: Any, **parameters: Any) -> Any:
    from sktransfer import ImageEmbedder

    return ImageEmbedder(network, image_size=_SIZE, cache=cache, device="cpu", **parameters)


def _images(count: int, seed: int = 0) -> np.ndarray:
    shape = (count, _SIZE, _SIZE, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def rewritten_files(folder: Path, choice: random.Random, trials: int) -> Counter[str]:
    """Rewrite a file immediately with the same size and modification time; or change a link's target."""
    network, contents = _network(), _images(6)
    expected = _embedder(False, network).fit_transform(contents)
    path, link = folder / "image.bmp", folder / "link.bmp"
    Image.fromarray(contents[0]).save(path)
    link.symlink_to(path)
    then = path.stat().st_mtime_ns - 10**10
    embedder = _embedder(folder / "cache", network).fit([path])

    def trial() -> str:
        number = choice.randrange(len(contents))
        before = path.stat()
        other = path if choice.random() < 0.5 else folder / "other.bmp"  # in place, or by a rename
        Image.fromarray(contents[number]).save(other)
        other.replace(path)
        os.utime(path, ns=(then, then))
        after = path.stat()
        row = embedder.transform([choice.choice([path, link])])[0]
        if not np.allclose(row, expected[number], rtol=1e-5, atol=1e-6):
            return WRONG
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        return RIGHT if same else NOT_HIT

    return Counter(trial() for _ in range(trials))


def interrupts(folder: Path, choice: random.Random, trials: int) -> Counter[str]:
    """Raise KeyboardInterrupt at random moments of fit and transform; then repeat both."""
    network, column = _network(), _images(200)
    expected = _embedder(False, network).fit_transform(column)
    embedder = _embedder(folder / "cache", network)
    start = time.perf_counter()
    embedder.fit_transform(column)
    longest = time.perf_counter() - start

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, stop)

    def trial() -> str:
        nonlocal longest
        rows = choice.sample(range(len(column)), 60)
        other = _embedder(folder / f"cache{choice.randrange(trials)}", network)
        hit = False
        try:
            signal.setitimer(signal.ITIMER_REAL, choice.uniform(0, longest))
            other.fit_transform(column[rows])
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            hit = True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)  # another error must not be interrupted
        found = other.fit(column).transform(column)
        longest *= 1.03 if hit else 0.9  # so that most interrupts are in time, and some late
        if not np.allclose(found, expected, rtol=1e-5, atol=1e-6):
            return WRONG
        return RIGHT if hit else NOT_HIT

    return Counter(trial() for _ in range(trials))


def little_memory(folder: Path, choice: random.Random, trials: int) -> Counter[str]:
    """Make the network raise out of memory above some batch size."""
    import torch

    from sktransfer.backbones import get_backbone

    network, column = _network(), _images(40)
    expected = _embedder(False, network).fit_transform(column)
    most = 1

    def refuse(module: Any, args: Any) -> None:
        if len(args[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    get_backbone(network, modality="image").network.register_forward_pre_hook(refuse)

    def trial() -> str:
        nonlocal most
        most = choice.randrange(1, 40)
        batch_size = choice.randrange(1, 41)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = _embedder(False, network, batch_size=batch_size).fit_transform(column)
        told = sum(w.category is MemoryWarning for w in warned)
        if not np.allclose(found, expected, rtol=1e-5, atol=1e-6):
            return WRONG
        if batch_size <= most:
            return NOT_HIT
        return RIGHT if told == 1 else CRASHED

    return Counter(trial() for _ in range(trials))


def changed_while_read(folder: Path, choice: random.Random, trials: int) -> Counter[str]:
    """Change files between the moments in which they are digested and decoded."""
    from sktransfer.modalities.image import ImageModality

    network, contents = _network(), _images(12)
    expected = _embedder(False, network).fit_transform(contents)
    paths = [folder / f"{number}.bmp" for number in range(6)]
    reading, changed = ImageModality.digest, []

    def read(self: Any, *args: Any) -> Any:
        found = reading(self, *args)
        for number in choice.sample(range(6), 2):
            Image.fromarray(contents[6 + number]).save(paths[number])
            changed.append(number)
        return found

    def trial(seed: int) -> str:
        changed.clear()
        for number, path in enumerate(paths):
            Image.fromarray(contents[number]).save(path)
        embedder = _embedder(folder / f"cache{seed}", network).fit(paths)
        ImageModality.digest = read  # type: ignore[method-assign]
        try:
            embedder.transform(paths)
            return WRONG  # rows of two files are outdated without a warning
        except SktransferError:
            pass
        finally:
            ImageModality.digest = reading  # type: ignore[method-assign]
        now = [6 + n if n in changed else n for n in range(6)]
        rows = embedder.transform(paths)
        return RIGHT if np.allclose(rows, expected[now], rtol=1e-5, atol=1e-6) else WRONG

    return Counter(trial(number) for number in range(trials))
