"""Faults of the machine: no space, no permission, no locks, or a wrong clock."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sktransfer.cache import open_cache
from sktransfer.exceptions import CacheWarning
from tests.faults.trials import NOT_HIT, RIGHT, count, fill, in_child, use

_NOBODY = 65534
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS

Work = Callable[[Path, random.Random], str]


def trials_of(work: Work) -> Callable[[int, int], Counter[str]]:
    """Return trials that run in a child, each with its own folder and random numbers."""

    def run(trials: int, seed: int) -> Counter[str]:
        def trial(number: int) -> str:
            with tempfile.TemporaryDirectory() as name:
                return in_child(lambda: work(Path(name), random.Random(seed * 10_000 + number)))

        return count(trial, trials)

    return run


def _warned_use(folder: Path, *, must_warn: bool = True) -> str:
    """Use the cache several times; a fault without a warning was not hit."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        outcome = RIGHT
        for _ in range(5):
            outcome = max(outcome, use(folder))
    told = [str(w.message) for w in warned if w.category is CacheWarning]
    assert len(told) <= 2, told  # for opening and for writing, not for every row
    return outcome if told or not must_warn or outcome != RIGHT else NOT_HIT


def can_mount() -> bool:
    """Whether a child can have its own mounts."""
    return in_child(lambda: RIGHT if _own_mounts() else NOT_HIT) == RIGHT


def is_root() -> bool:
    """Whether a child can change its user."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _own_mounts() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare") or libc.unshare(_NEW_MOUNTS) != 0:
        return False
    private = ["mount", "--make-rprivate", "/"]
    return subprocess.run(private, check=False, capture_output=True).returncode == 0


def _mount_memory(folder: Path, options: str) -> None:
    assert _own_mounts()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def full_disk(folder: Path, choice: random.Random) -> str:
    """Fill a small disk, partly full at the start, and continue when it is full."""
    _mount_memory(folder, f"size={choice.randrange(1, 4000)}k")
    taken = choice.random() * shutil.disk_usage(folder).free
    (folder / "other").write_bytes(bytes(int(taken)))
    return _warned_use(folder / "cache")


def disk_filled_by_others(folder: Path, choice: random.Random) -> str:
    """Fill the disk of a valid cache with other files."""
    _mount_memory(folder, "size=8m")
    fill(folder / "cache")
    open_cache(folder / "cache").database.close()
    with (folder / "other").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(folder).free == 0
    return _warned_use(folder / "cache")


def file_size_limit(folder: Path, choice: random.Random) -> str:
    """Limit the file size, as by a quota."""
    bound = choice.randrange(70_000, 1_500_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bound, bound))
    return _warned_use(folder)


def read_only_disk(folder: Path, choice: random.Random) -> str:
    """Mount the disk read-only, with a good cache on it."""
    fill(folder / "cache")
    open_cache(folder / "cache").database.close()
    assert _own_mounts()
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    return _warned_use(folder / "cache")


def read_only_folder(folder: Path, choice: random.Random) -> str:
    """Remove the owner's write permission on the folder."""
    os.chown(folder, _NOBODY, _NOBODY)
    folder.chmod(0o500)
    _drop_privileges()
    return _warned_use(folder / choice.choice(["", "below"]))


def closed_folder_of_another(folder: Path, choice: random.Random) -> str:
    """Use a cache folder of another user."""
    fill(folder / "cache")
    folder.chmod(0o755)
    _drop_privileges()
    return _warned_use(folder / "cache")


def open_folder_of_another(folder: Path, choice: random.Random) -> str:
    """Use a folder created by another user, writable by all, which contains rows."""
    shared = folder / "cache"
    (shared / "v3").mkdir(parents=True)
    for path in (shared / "v3", *([] if choice.random() < 0.5 else [shared])):
        path.chmod(0o777)
        os.chown(path, _NOBODY, _NOBODY)
    outcome = _warned_use(shared)
    return outcome if not any((shared / "v3").iterdir()) else NOT_HIT


def _drop_privileges() -> None:
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)


def no_locks(folder: Path, choice: random.Random) -> str:
    """Refuse locks or shared memory, as network file systems do, from a random moment on."""
    if choice.random() < 0.5:
        fill(folder)
    open_cache(folder).database.close()
    connect = sqlite3.connect

    class Refusing:
        """A connection that fails from some statement on."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            self._left = choice.randrange(15)
            self._connection = connect(*args, **kwargs)

        def execute(self, *args: object) -> sqlite3.Cursor:
            self._left -= 1
            if self._left < 0:
                raise sqlite3.OperationalError("locking protocol")
            return self._connection.execute(*args)

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

    sqlite3.connect = Refusing
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        outcome = max(use(folder) for _ in range(5))
    assert 1 <= len(warned) <= 4, [str(w.message) for w in warned]
    return outcome


def too_many_files(folder: Path, choice: random.Random) -> str:
    """Allow only a handful of open files."""
    in_use = len(list(Path("/proc/self/fd").iterdir()))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + choice.randrange(4), hard))
    outcome = _warned_use(folder, must_warn=False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1024), hard))
    return max(outcome, use(folder))


def no_shared_memory(folder: Path, choice: random.Random) -> str:
    """Remove /dev/shm."""
    _mount_memory(Path("/dev/shm"), "size=4k,mode=000,ro")
    return _warned_use(folder, must_warn=False)


def little_address_space(folder: Path, choice: random.Random) -> str:
    """Limit the address space to less than the limit of the cache."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    return _warned_use(folder, must_warn=False)


def jumping_clock(folder: Path, choice: random.Random) -> str:
    """Let the clock jump by up to centuries between any two readings."""
    really = time.time
    time.time = lambda: max(0.0, really() + choice.choice([0, -1, 1]) * choice.choice(_JUMPS))
    os.environ["SKTRANSFER_CACHE_LIMIT"] = "600 kB"  # so that the oldest rows must be evicted
    return _warned_use(folder, must_warn=False)


_JUMPS = (0, 1, 3600, 86_400, 3e7, 1e9, 1e10, 1e12)
