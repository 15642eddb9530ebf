"""Two processes that open a large cache at the same time, after a third was killed during a write.

``python -m benchmarks.shared_cache [--gigabytes 4]``

Each must find all existing rows, store new ones and read them back, without a warning.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks._measure import seconds
from benchmarks.speed.growth import SPACE, WIDTH, digests, fill
from sktransfer.cache import cache_info, open_cache

_SOME = 50_000  # rows that each process reads and writes


def write_forever(folder: Path) -> None:
    """Write new rows until the process is killed."""
    cache, some = open_cache(folder), digests(10**9, 10**9 + _SOME)
    while True:
        cache.write(SPACE, some, np.ones((_SOME, WIDTH), dtype=np.float32))


def use(folder: Path, number: int, begin: float, told: multiprocessing.Queue) -> None:
    """Read existing rows, write new ones, read them back; return the seconds or the error."""
    warnings.simplefilter("error")
    old, new = digests(0, _SOME), digests((number + 2) * 10**9, (number + 2) * 10**9 + _SOME)
    rows = np.full((_SOME, WIDTH), number, dtype=np.float32)
    time.sleep(max(0.0, begin - time.time()))
    try:
        opening = seconds(lambda: open_cache(folder))
        cache = open_cache(folder)
        reading = seconds(lambda: cache.read(SPACE, old, WIDTH))
        writing = seconds(lambda: cache.write(SPACE, new, rows))
        kept = cache.read(SPACE, old, WIDTH)[1].all() and cache.read(SPACE, new, WIDTH)[1].all()
        told.put(
            (bool(kept), f"opened in {opening:.3f} s, read {reading:.2f}, wrote {writing:.2f}")
        )
    except Exception as error:
        told.put((False, repr(error)))


def main() -> None:
    """Fill a cache, open it from two processes, and fail if a row is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=4)
    gigabytes = parser.parse_args().gigabytes
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, max(_SOME, int(gigabytes * 1e9 / 1700)))
        victim = context.Process(target=write_forever, args=(folder,))
        victim.start()
        time.sleep(10)
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        print(cache_info(folder))
        told, begin = context.Queue(), time.time() + 10
        both = [context.Process(target=use, args=(folder, i, begin, told)) for i in range(2)]
        for process in both:
            process.start()
        outcomes = [told.get() for _ in both]
        for process in both:
            process.join()
    for kept, what in outcomes:
        print("all rows found" if kept else "rows were lost", what, sep=": ")
    raise SystemExit(0 if all(kept for kept, _ in outcomes) else 1)


if __name__ == "__main__":
    main()
