"""Trials of faults: outcomes, counting, and rows whose correctness can be verified."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from sktransfer.cache import FeatureCache, open_cache, space_key

#: How a trial ended. If the fault did not happen, for instance because the kill came too late, it
#: is counted separately: such a trial shows nothing.
RIGHT, WRONG, CRASHED, NOT_HIT = "survived", "wrong rows", "crashes", "not hit"
OUTCOMES = (RIGHT, WRONG, CRASHED, NOT_HIT)

Trial = Callable[[int], str]

SPACE = space_key(fingerprint="a network", layer="pooled")
WIDTH = 384
DIGESTS = [number.to_bytes(16, "big") for number in range(400)]
ROWS = np.random.default_rng(0).random((len(DIGESTS), WIDTH), dtype=np.float32)

_PATIENCE = 60.0  # timeout of a child in seconds


def count(trial: Trial, trials: int) -> Counter[str]:
    """Return the number of trials per outcome, and under "trials" their total."""
    counts = Counter(trial(number) for number in range(trials))
    counts["trials"] = trials
    return counts


def in_child(work: Callable[[], str], patience: float = _PATIENCE) -> str:
    """Fork, work there, and return the outcome: a child that dies or hangs has crashed."""
    child = start_child(work)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _outcome(os.waitstatus_to_exitcode(status))
        time.sleep(0.002)
    kill(child)
    return CRASHED


def start_child(work: Callable[[], str]) -> int:
    """Fork, and return the id of the process in which the work is done."""
    sys.stdout.flush()
    # A child must not collect its parent's garbage: native objects in it, such as an ONNX session,
    # would wait for threads that the child does not have.
    is_child = gc.get_freeze_count() > 0
    gc.freeze()
    child = os.fork()
    if child:
        if not is_child:  # a child keeps what its parent has frozen
            gc.unfreeze()
        return child
    code = OUTCOMES.index(CRASHED)
    try:
        code = OUTCOMES.index(work())
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait_for(child: int) -> str:
    """Return how a child ended."""
    return _outcome(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def kill(child: int) -> None:
    """Kill a child, even if it is stopped, and wait for its end."""
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _outcome(code: int) -> str:
    return OUTCOMES[code] if 0 <= code < len(OUTCOMES) else CRASHED


def fill(folder: Path) -> str:
    """Write all rows in several transactions, some of which overwrite others."""
    cache = open_cache(folder)
    for start in [*range(0, len(DIGESTS), 50), 0, 100]:
        part = slice(start, start + 50)
        cache.write(SPACE, DIGESTS[part], ROWS[part])
    cache.write_file_digests(DIGESTS, DIGESTS)
    return RIGHT


def judge(cache: FeatureCache) -> str:
    """Read everything back: each row, and each digest of a file, must be right or missing."""
    rows, found = cache.read(SPACE, DIGESTS, WIDTH)
    known = cache.read_file_digests(DIGESTS)
    right = np.array_equal(rows[found], ROWS[found]) and np.isnan(rows[~found]).all()
    right &= all(digest in (None, key) for key, digest in zip(DIGESTS, known, strict=True))
    return RIGHT if right else WRONG


def use(folder: Path) -> str:
    """Read, write and read again after any fault."""
    outcomes = [judge(open_cache(folder))]
    open_cache(folder).write(SPACE, DIGESTS, ROWS)
    outcomes.append(judge(open_cache(folder)))
    return WRONG if WRONG in outcomes else RIGHT
