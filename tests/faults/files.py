"""Damage to the files of the cache, and foreign files in its folder."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sktransfer.cache import open_cache
from sktransfer.exceptions import CacheWarning
from tests.faults.trials import (
    CRASHED,
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
    use,
)

_PAGE = 8192
_DATA = "v3/features.sqlite"
Damage = Callable[[bytearray, random.Random], None]


def one_bit(content: bytearray, choice: random.Random) -> None:
    """Flip one random bit."""
    content[choice.randrange(len(content))] ^= 1 << choice.randrange(8)


def many_bits(content: bytearray, choice: random.Random) -> None:
    """Flip a hundred random bits."""
    for _ in range(100):
        one_bit(content, choice)


def bits_of_structure(content: bytearray, choice: random.Random) -> None:
    """Change bytes of SQLite's structures: at the start of pages, mostly the first two."""
    for _ in range(choice.choice([1, 2, 4])):
        page = choice.choice([0, 1, choice.randrange(len(content) // _PAGE)])
        content[page * _PAGE + choice.randrange(160)] = choice.randrange(256)


def garbage_pages(content: bytearray, choice: random.Random) -> None:
    """Overwrite pages with noise, zeros or ones."""
    for _ in range(choice.choice([1, 3])):
        start = _PAGE * choice.randrange(len(content) // _PAGE)
        noise = (choice.randbytes(_PAGE), bytes(_PAGE), b"\xff" * _PAGE)
        content[start : start + _PAGE] = choice.choice(noise)


def swapped_pages(content: bytearray, choice: random.Random) -> None:
    """Swap two pages."""
    a, b = (_PAGE * page for page in choice.sample(range(len(content) // _PAGE), 2))
    content[a : a + _PAGE], content[b : b + _PAGE] = content[b : b + _PAGE], content[a : a + _PAGE]


def cut_short(content: bytearray, choice: random.Random) -> None:
    """Truncate the file."""
    del content[choice.randrange(len(content)) :]


def all_garbage(content: bytearray, choice: random.Random) -> None:
    """Overwrite the whole file with noise."""
    content[:] = choice.randbytes(len(content))


def damaged(damage: Damage, *, in_use: bool = False) -> Callable[[int, int], Counter[str]]:
    """Return trials that damage the data file, closed or while a process has it open."""

    def run(trials: int, seed: int) -> Counter[str]:
        choice = random.Random(seed)
        with tempfile.TemporaryDirectory() as name:
            in_child(lambda: _fill_and_close(Path(name) / "good"))
            good = (Path(name) / "good" / _DATA).read_bytes()

            def trial(number: int) -> str:
                content = bytearray(good)
                damage(content, choice)
                if content == good:
                    return NOT_HIT
                return _use_damaged(Path(name) / "other", good, bytes(content), in_use)

            return count(trial, trials)

    return run


def _fill_and_close(folder: Path) -> str:
    outcome = fill(folder)
    open_cache(folder).database.close()  # which moves all of the log into the database
    return outcome


def damaged_logs(trials: int, seed: int) -> Counter[str]:
    """Damage the log, or its index, of a killed process."""
    choice = random.Random(seed)
    damages = (one_bit, many_bits, garbage_pages, swapped_pages, cut_short, all_garbage)
    with tempfile.TemporaryDirectory() as name:
        in_child(lambda: fill(Path(name) / "good"))  # ends without closing the file

        def trial(number: int) -> str:
            shutil.rmtree(Path(name) / "other", ignore_errors=True)
            shutil.copytree(Path(name) / "good", Path(name) / "other")
            log = Path(name) / "other" / (_DATA + choice.choice(["-wal", "-wal", "-shm"]))
            content = bytearray(log.read_bytes())
            choice.choice(damages)(content, choice)
            log.write_bytes(content)
            return in_child(lambda: _few_warnings(lambda: _use_and_make_room(Path(name) / "other")))

        return count(trial, trials)


def _use_damaged(folder: Path, good: bytes, bad: bytes, in_use: bool) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / _DATA
    data.parent.mkdir(parents=True, mode=0o700)
    data.write_bytes(good if in_use else bad)

    def work() -> str:
        if in_use:
            judge(open_cache(folder))
            data.write_bytes(bad)
        return _few_warnings(lambda: _use_and_make_room(folder))

    return in_child(work)


def _use_and_make_room(folder: Path) -> str:
    outcome = use(folder)
    # Rows must be evicted, which reads more of the file.
    os.environ["SKTRANSFER_CACHE_LIMIT"] = "300 kB"
    return max(outcome, use(folder))


def _few_warnings(work: Callable[[], str]) -> str:
    """Work, and count more than a handful of warnings as a crash: each reason warns once."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        outcome = work()
    return CRASHED if sum(w.category is CacheWarning for w in warned) > 3 else outcome


def odd_rows(trials: int, seed: int) -> Counter[str]:
    """Store invalid rows under keys: of wrong lengths, of other keys, of another format."""
    choice = random.Random(seed)

    def work(folder: Path) -> str:
        fill(folder)
        with open_cache(folder).database.transaction(write=True) as connection:
            stored = {
                key: (number, value)
                for key, number, value in connection.execute("SELECT key, id, value FROM rows")
            }
            keys = [SPACE + digest for digest in DIGESTS]
            for victim in choice.sample(keys, 50):
                number, value = stored[victim]
                _, other_value = stored[choice.choice([key for key in keys if key != victim])]
                values = (
                    other_value,
                    value[:-1],
                    value + b"\0",
                    value[8:],
                    b"",
                    b"\0" * len(value),
                    ROWS[0].tobytes(),
                    None,
                    "text",
                    5,
                )
                connection.execute(
                    "UPDATE rows SET value = ? WHERE id = ?", (choice.choice(values), number)
                )
            odd = [(b"short", other_value), ("text", "then"), (5, None), (None, None)]
            connection.executemany("INSERT INTO rows (key, value) VALUES (?, ?)", odd)
        opened = open_cache(folder)
        missing = ~opened.read(SPACE, DIGESTS, ROWS.shape[1])[1]
        outcome = judge(opened)
        if outcome == RIGHT and missing.sum() != 50:
            return WRONG
        opened.database.limit = 400_000  # so that rows must be evicted, including the invalid ones
        return use(folder)

    def trial(number: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            return in_child(lambda: work(Path(name)))

    return count(trial, trials)


def other_versions(trials: int, seed: int) -> Counter[str]:
    """Add the folders and tables of an older, a newer and an unknown version."""
    choice = random.Random(seed)

    def work(folder: Path) -> str:
        for version in ("v1", "v4"):
            (folder / version).mkdir(parents=True)
            (folder / version / "features.sqlite").write_bytes(choice.randbytes(10_000))
        (folder / "v3").mkdir(mode=0o700)
        table = choice.choice(
            [
                "rows (key BLOB PRIMARY KEY, id INTEGER)",
                "rows (key TEXT, id TEXT, value TEXT)",
                "rows (id INTEGER PRIMARY KEY, value TEXT)",
                "older (key BLOB, value BLOB)",
            ]
        )
        with contextlib.closing(sqlite3.connect(folder / _DATA)) as connection, connection:
            connection.execute(f"CREATE TABLE {table}")
            if choice.random() < 0.5:
                connection.execute(
                    f"CREATE TRIGGER t INSERT ON {table.split()[0]} BEGIN SELECT 1; END"
                )
        return _few_warnings(lambda: use(folder))

    def trial(number: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            return in_child(lambda: work(Path(name)))

    return count(trial, trials)


def planted(trials: int, seed: int) -> Counter[str]:
    """Plant links, folders and pipes in the place of the cache's files."""
    choice = random.Random(seed)

    def work(folder: Path) -> str:
        victim = folder / "victim"
        victim.mkdir(parents=True)
        (victim / "letter").write_text("mine")
        endings = ("", "-wal", "-shm", "-journal")
        names = ("v3", "v3/lock", *(_DATA + ending for ending in endings))
        path = folder / "cache" / choice.choice(names)
        path.parent.mkdir(parents=True, mode=0o700)
        plants = (
            lambda: path.symlink_to(victim / "letter"),
            lambda: path.symlink_to(victim / "new"),
            lambda: path.symlink_to(victim),
            lambda: path.symlink_to(path),
            lambda: os.mkfifo(path),
            lambda: path.write_text("no folder") if path.name == "v3" else path.mkdir(),
        )
        choice.choice(plants)()
        outcome = _few_warnings(lambda: use(folder / "cache"))
        untouched = [p.name for p in victim.iterdir()] == ["letter"]
        return outcome if untouched and (victim / "letter").read_text() == "mine" else WRONG

    def trial(number: int) -> str:
        choice.random()  # the child's random draws are not ours
        with tempfile.TemporaryDirectory() as name:
            return in_child(lambda: work(Path(name)))

    return count(trial, trials)
