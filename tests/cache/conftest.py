import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import sktransfer.cache
from sktransfer.cache import SqliteCache, open_cache, space_key
from sktransfer.cache._errors import forget_warnings

ROOT = Path(sktransfer.cache.__file__).parents[2]


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("SKTRANSFER_CACHE", str(tmp_path / "of the user"))
    monkeypatch.delenv("SKTRANSFER_CACHE_LIMIT", raising=False)
    forget_warnings()
    yield
    forget_warnings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(folder: Path) -> SqliteCache:
    opened = open_cache(folder)
    assert isinstance(opened, SqliteCache)
    return opened


@pytest.fixture
def space() -> bytes:
    return space_key(fingerprint="a network", layer="pooled")


@pytest.fixture
def digests() -> list[bytes]:
    return [os.urandom(16) for _ in range(100)]


@pytest.fixture
def rows_of() -> Callable[[list[bytes], int], np.ndarray]:
    """Return rows that are computed from their digests, so that a reader can verify them."""

    def rows(digests: list[bytes], width: int) -> np.ndarray:
        seeds = [int.from_bytes(digest, "big") for digest in digests]
        rows = [np.random.default_rng(seed).random(width, dtype=np.float32) for seed in seeds]
        return np.array(rows, dtype=np.float32).reshape(len(digests), width)

    return rows


# The same for other processes, whose digests are the numbers 0, 1, 2, ...
_PRELUDE = """
import os, sys, threading, time
import numpy as np
from sktransfer.cache import cache_info, clear_cache, open_cache, space_key
space = space_key(fingerprint="a network", layer="pooled")
folder = sys.argv[1]
def digest(i): return i.to_bytes(16, "big")
def row(i): return np.random.default_rng(i).random(384, dtype=np.float32)
def say(text): print(text, flush=True)
"""


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start a script in another process, on the same folder."""
    started = []

    def start(script: str, **environment: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", _PRELUDE + script, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def run(start: Callable[..., subprocess.Popen]) -> Callable[..., str]:
    """Run a script in another process until it ends; return its output."""

    def run(script: str, **environment: str) -> str:
        process = start(script, **environment)
        said, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return said

    return run
