"""Cached rows: read throughput, and time and memory as functions of the number of rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks._measure import in_a_process, seconds
from benchmarks._table import Case
from sktransfer.cache import open_cache, space_key

COUNTS = (10_000, 100_000, 1_000_000)
WIDTH = 384
TOGETHER = 10_000
SPACE = space_key(benchmark="growth")


def digests(start: int, stop: int) -> list[bytes]:
    """Return digests of synthetic cells, uniformly distributed as real ones are."""
    import xxhash

    return [xxhash.xxh3_128_digest(number.to_bytes(8, "little")) for number in range(start, stop)]


def fill(folder: Path, count: int) -> float:
    """Write `count` rows, and return the seconds that it took."""
    cache, random = open_cache(folder), np.random.default_rng(0)
    spent = 0.0
    for start in range(0, count, TOGETHER):
        some = digests(start, min(count, start + TOGETHER))
        rows = random.standard_normal((len(some), WIDTH), dtype=np.float32)
        spent += seconds(lambda s=some, r=rows: cache.write(SPACE, s, r))
    return spent


def read(folder: Path, count: int) -> tuple[float, float]:
    """Read all rows in another order; return the seconds, and bytes of memory beyond the rows."""
    cache, asked = open_cache(folder), digests(0, count)
    np.random.default_rng(1).shuffle(asked)
    before = peak_memory()
    took = []
    for _ in range(3):
        took.append(seconds(lambda: cache.read(SPACE, asked, WIDTH)))
    return float(np.median(took)), peak_memory() - before - 4.0 * count * WIDTH


def peak_memory() -> int:
    """Return the peak memory of this process in bytes (Linux only).

    ``ru_maxrss`` of `resource` starts at the parent's value.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def measure(repeats: int) -> list[Case]:
    """Measure 10,000, 100,000 and 1,000,000 rows, each in its own process."""
    times: dict[str, list[float]] = {}
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            wrote = in_a_process(fill, path, count)
            found = [in_a_process(read, path, count) for _ in range(repeats)]
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        took = [seconds_ for seconds_, _ in found]
        beside = max(memory for _, memory in found)
        print(
            f"  {count:,} rows: written {count / wrote:,.0f}/s, "
            f"read {count / np.median(took):,.0f}/s, {size / count:,.0f} bytes a row on disk, "
            f"{beside / 2**20:,.0f} MB beside the rows, pages of the file among them",
            flush=True,
        )
        times[f"{count:,} rows, seconds per million"] = [s * 1e6 / count for s in took]
    own = f"{COUNTS[1]:,} rows, seconds per million"
    case = Case("reading cached rows of 384 numbers", times, ours=own)
    print("\n".join(case.lines()), flush=True)
    return [case]
