"""Peak memory beyond the output: of a million texts, of 100,000 images, of many transforms."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.faults.trials import start_child, wait_for

MB = 1_000_000


class Peak(NamedTuple):
    """Memory and time of a transform.

    Attributes
    ----------
    output, beside : int
        Bytes of its result, and of the peak beyond that.
    seconds : float
    """

    output: int
    beside: int
    seconds: float


def resident() -> int:
    """Return the bytes of this process's own memory, without pages of mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("the system does not tell")


def peak_of(work: Callable[[], np.ndarray]) -> Peak:
    """Work, and sample the memory every few milliseconds."""
    gc.collect()
    before, start = resident(), time.perf_counter()
    with _sampled() as seen:
        output = work()
    return Peak(output.nbytes, max(seen) - before - output.nbytes, time.perf_counter() - start)


@contextmanager
def _sampled() -> Iterator[list[int]]:
    seen, done = [resident()], threading.Event()

    def watch() -> None:
        while not done.wait(0.003):
            seen.append(max(resident(), seen.pop()))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def keep_rows(embedder: Any, column: Any) -> None:
    """Fill the cache of a fitted embedder with random rows, so that its network does not run."""
    from sktransfer.cache import open_cache

    extractor = embedder._extractor(embedder._fitted_backbone(), open_cache(False))
    cells = extractor.modality.column(column).cells
    _, digests = extractor.modality.digest(cells, open_cache(False))
    distinct = list(dict.fromkeys(digests))
    rows = np.zeros((10_000, embedder._n_features_out), dtype=np.float32)
    for start in range(0, len(distinct), len(rows)):
        part = distinct[start : start + len(rows)]
        open_cache(embedder.cache).write(extractor.space, part, rows[: len(part)])


def texts_peak(count: int, folder: Path) -> Peak:
    """Transform short texts whose rows are cached, a tenth of them duplicates."""
    from sktransfer import TextEmbedder

    column = [f"short text {number % (count - count // 10)}" for number in range(count)]
    embedder = TextEmbedder(cache=folder).fit(column[:1])
    keep_rows(embedder, column)
    embedder.transform(column[:10])
    return peak_of(lambda: embedder.transform(column))


def images_peak(count: int, folder: Path) -> Peak:
    """Transform image files whose rows are cached."""
    from sktransfer import ImageEmbedder

    (folder / "images").mkdir()
    column = []
    for number in range(count):  # never decoded, as their rows are cached
        path = folder / "images" / f"{number}.png"
        path.write_bytes(b"an image, by its name: %d" % number)
        column.append(str(path))
    embedder = ImageEmbedder(weights="pretrained", cache=folder).fit(column[:1])
    keep_rows(embedder, column)
    embedder.transform(column[:10])
    return peak_of(lambda: embedder.transform(column))


def growth(transforms: int, folder: Path) -> int:
    """Return the bytes by which memory grows over the second half of repeated transforms.

    Half of them find their rows in the cache, and half compute.
    """
    from tests.faults.embedders import _embedder, _images, _network

    column, new = _images(40), _images(transforms, seed=1)
    embedder = _embedder(folder, _network()).fit(column)
    middle = 0
    for number in range(transforms):
        if number == transforms // 2:
            gc.collect()
            middle = resident()
        extra = new[number : number + 1] if number % 2 else column[:1]
        embedder.transform(np.concatenate([column, extra]))
    gc.collect()
    return resident() - middle


def print_peaks(part: int) -> None:
    """Print the measurements, each from its own process."""
    if not Path("/proc/self/status").exists():
        print("\nmemory: this system does not tell")
        return
    print(f"\n{'memory':38}{'rows':>9}{'output':>10}{'beside it':>11}{'a row':>9}{'seconds':>9}")
    for name, measure, count in (
        ("short texts, in the cache", texts_peak, 1_000_000 // part),
        ("files of images, in the cache", images_peak, 100_000 // part),
    ):
        _in_child(lambda folder, n=name, m=measure, c=count: _print_peak(n, m(c, folder), c))
    transforms = 1_000 // min(part, 5)
    _in_child(
        lambda folder: print(
            f"{f'growth over the last {transforms // 2} transforms':57}"
            f"{growth(transforms, folder) / MB:8.1f} MB",
            flush=True,
        )
    )


def _print_peak(name: str, peak: Peak, rows: int) -> None:
    print(
        f"{name:38}{rows:9,}{peak.output / MB:7.0f} MB{peak.beside / MB:8.0f} MB"
        f"{peak.beside / rows:7.0f} B{peak.seconds:9.1f}",
        flush=True,
    )


def _in_child(work: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as name:
        os.environ["SKTRANSFER_CACHE_LIMIT"] = "20 GB"

        def child() -> str:
            work(Path(name))
            return "survived"

        wait_for(start_child(child))
