"""Processes that are killed, stopped, or write the same rows; folders that are removed."""

from __future__ import annotations

import mmap
import os
import random
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sktransfer.cache import clear_cache, open_cache
from sktransfer.exceptions import CacheWarning
from tests.faults.trials import (
    DIGESTS,
    NOT_HIT,
    RIGHT,
    ROWS,
    SPACE,
    WRONG,
    count,
    fill,
    in_child,
    judge,
    kill,
    start_child,
    use,
    wait_for,
)


def killed_writers(trials: int, seed: int) -> Counter[str]:
    """Kill a process during a write; the folder is used by all trials."""
    choice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def trial(number: int) -> str:
            where = mmap.mmap(-1, 2)  # shared: has written once; is in a write
            child = start_child(lambda: _write_forever(folder, where))
            while not where[0]:
                time.sleep(0.001)
            time.sleep(choice.uniform(0, 0.03))
            kill(child)
            outcome = in_child(lambda: use(folder))
            return outcome if where[1] or outcome != RIGHT else NOT_HIT

        return count(trial, trials)


def _write_forever(folder: Path, where: mmap.mmap) -> str:
    cache = open_cache(folder)
    start = 0
    while True:
        part = slice(start, start + 20)
        where[1] = 1
        cache.write(SPACE, DIGESTS[part], ROWS[part])
        where[1] = 0
        where[0] = 1
        start = (start + 20) % len(DIGESTS)


def writers(processes: int) -> Callable[[int, int], Counter[str]]:
    """Return trials in which several processes write the same rows at the same time."""

    def run(trials: int, seed: int) -> Counter[str]:
        def trial(number: int) -> str:
            with tempfile.TemporaryDirectory() as name:
                children = [
                    start_child(lambda s=worker: _write_and_read(Path(name), s))
                    for worker in range(processes)
                ]
                outcomes = {wait_for(child) for child in children}
                outcomes.add(in_child(lambda: _all_there(Path(name))))
            return min(outcomes - {RIGHT}, default=RIGHT)

        return count(trial, trials)

    return run


def _write_and_read(folder: Path, seed: int) -> str:
    cache = open_cache(folder)
    choice = np.random.default_rng(seed)
    for _ in range(8):
        some = np.sort(choice.choice(len(DIGESTS), 60, replace=False))
        cache.write(SPACE, [DIGESTS[i] for i in some], ROWS[some])
        if judge(cache) == WRONG:
            return WRONG
    cache.write(SPACE, DIGESTS, ROWS)
    return RIGHT


def _all_there(folder: Path) -> str:
    cache = open_cache(folder)
    return judge(cache) if cache.read(SPACE, DIGESTS, ROWS.shape[1])[1].all() else WRONG


def killed_readers(trials: int, seed: int) -> Counter[str]:
    """Kill a process during a read, which blocks truncation of the log."""

    def trial(number: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            in_child(lambda: fill(Path(name)))
            ready = mmap.mmap(-1, 1)
            child = start_child(lambda: _hang_in_a_read(Path(name), ready))
            while not ready[0]:
                time.sleep(0.002)
            while_it_reads = in_child(lambda: use(Path(name)))
            kill(child)
            after = in_child(lambda: _all_there(Path(name)))
            return min({while_it_reads, after} - {RIGHT}, default=RIGHT)

    return count(trial, trials)


def _hang_in_a_read(folder: Path, ready: mmap.mmap) -> str:
    with open_cache(folder).database.transaction(write=False) as connection:
        connection.execute("SELECT * FROM rows").fetchone()
        ready[0] = 1
        signal.pause()
    return RIGHT


def forks(trials: int, seed: int) -> Counter[str]:
    """Fork several times from a process whose threads write and read; parent and children continue."""

    def trial(number: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            outcome = in_child(lambda: _fork_while_threads_write(Path(name)))
            after = in_child(lambda: _all_there(Path(name)))
            return min({outcome, after} - {RIGHT}, default=RIGHT)

    return count(trial, trials)


def _fork_while_threads_write(folder: Path) -> str:
    warnings.simplefilter("error", CacheWarning)
    outcomes = []
    threads = [
        threading.Thread(target=lambda s=seed: outcomes.append(_write_and_read(folder, s)))
        for seed in range(3)
    ]
    for thread in threads:
        thread.start()
    children = [start_child(lambda: _write_and_read(folder, 7)) for _ in range(4)]
    outcomes += [wait_for(child) for child in children]
    for thread in threads:
        thread.join()
    return RIGHT if outcomes == [RIGHT] * 7 else WRONG


def stopped_writers(trials: int, seed: int) -> Counter[str]:
    """Stop a process during a write; others read, and must not wait long."""

    def trial(number: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            in_child(lambda: fill(Path(name)))
            ready = mmap.mmap(-1, 1)
            child = start_child(lambda: _stop_in_a_write(Path(name), ready))
            while not ready[0]:
                time.sleep(0.002)
            outcome = in_child(lambda: _read_and_warn(Path(name)), patience=30)
            kill(child)
            after = in_child(lambda: use(Path(name)))
            return min({outcome, after} - {RIGHT}, default=RIGHT)

    return count(trial, trials)


def _stop_in_a_write(folder: Path, ready: mmap.mmap) -> str:
    with open_cache(folder).database.transaction(write=True) as connection:
        connection.execute("INSERT INTO rows (key) VALUES (?)", [b"a" * 32])
        ready[0] = 1
        os.kill(os.getpid(), signal.SIGSTOP)
    return RIGHT


def _read_and_warn(folder: Path) -> str:
    from sktransfer.cache._database import Database

    Database.timeout = 0.3
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        outcome = use(folder)
        for _ in range(20):
            use(folder)
    assert len([w for w in warned if w.category is CacheWarning]) <= 1, warned
    return outcome


def removed_folders(trials: int, seed: int) -> Counter[str]:
    """Remove the folder, or clear the cache, while a process writes and reads."""

    def trial(number: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "cache"
            done = mmap.mmap(-1, 1)
            child = start_child(lambda: _use_until(folder, done))
            for step in range(10):
                time.sleep(0.005)
                if step % 2:
                    clear_cache(folder)
                else:
                    shutil.rmtree(folder, ignore_errors=True)
            done[0] = 1
            return wait_for(child)

    return count(trial, trials)


def _use_until(folder: Path, done: mmap.mmap) -> str:
    warnings.simplefilter("ignore", CacheWarning)
    while not done[0]:
        if use(folder) == WRONG:
            return WRONG
    return use(folder)
