"""What a tired disk, a careless hand or another version can leave in the folder of the cache."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import lmdb

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

_PAGE = 4096
Damage = Callable[[bytearray, random.Random], None]


def one_bit(content: bytearray, choice: random.Random) -> None:
    """Flip one bit anywhere."""
    content[choice.randrange(len(content))] ^= 1 << choice.randrange(8)


def many_bits(content: bytearray, choice: random.Random) -> None:
    """Flip a hundred bits."""
    for _ in range(100):
        one_bit(content, choice)


def bits_of_structure(content: bytearray, choice: random.Random) -> None:
    """Change bytes where LMDB keeps its own: at the start of pages, above all of the first two."""
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
    """Cut the end off."""
    del content[choice.randrange(len(content)) :]


def all_garbage(content: bytearray, choice: random.Random) -> None:
    """Put noise in the place of all."""
    content[:] = choice.randbytes(len(content))


def damaged(damage: Damage, *, in_use: bool = False) -> Callable[[int, int], Counter[str]]:
    """Return trials that damage the data file, closed or while a process has it open."""

    def run(trials: int, seed: int) -> Counter[str]:
        choice = random.Random(seed)
        with tempfile.TemporaryDirectory() as name:
            in_child(lambda: fill(Path(name) / "good"))
            good = (Path(name) / "good" / "v1" / "data.mdb").read_bytes()

            def trial(number: int) -> str:
                content = bytearray(good)
                damage(content, choice)
                if content == good:
                    return NOT_HIT
                return _meet(Path(name) / "other", good, bytes(content), in_use)

            return count(trial, trials)

    return run


def _meet(folder: Path, good: bytes, bad: bytes, in_use: bool) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / "v1" / "data.mdb"
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
    os.environ["SKTRANSFER_CACHE_LIMIT"] = "300 kB"  # then rows must go: more of the file is met
    return max(outcome, use(folder))


def _few_warnings(work: Callable[[], str]) -> str:
    """Work, and take more than a handful of warnings for a crash: they come once a reason."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        outcome = work()
    return CRASHED if sum(w.category is CacheWarning for w in warned) > 3 else outcome


def odd_rows(trials: int, seed: int) -> Counter[str]:
    """Put what looks like rows under keys: of wrong lengths, of other keys, of another format."""
    choice = random.Random(seed)

    def work(folder: Path) -> str:
        fill(folder)
        with open_cache(folder).environment.writing() as tables:
            keys = [SPACE + digest for digest in DIGESTS]
            sound = tables.get(b"rows", keys)
            for victim in choice.sample(keys, 50):
                other = choice.choice([key for key in keys if key != victim])
                values = (
                    sound[other],
                    sound[victim][:-1],
                    sound[victim] + b"\0",
                    sound[victim][8:],
                    b"",
                    b"\0" * len(sound[victim]),
                    ROWS[0].tobytes(),
                )
                tables.put(b"rows", [(victim, choice.choice(values))])
            tables.put(b"used", [(choice.randbytes(32), b"?"), (b"short", b"12345678")])
        opened = open_cache(folder)
        missing = ~opened.read(SPACE, DIGESTS, ROWS.shape[1])[1]
        outcome = judge(opened)
        if outcome == RIGHT and missing.sum() != 50:
            return WRONG
        opened.environment.limit = 400_000  # so that rows must go, the odd ones among them
        return use(folder)

    def trial(number: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            return in_child(lambda: work(Path(name)))

    return count(trial, trials)


def other_versions(trials: int, seed: int) -> Counter[str]:
    """Let an older and a newer version have been here, and one that had other tables."""
    choice = random.Random(seed)

    def work(folder: Path) -> str:
        for version in ("v0", "v2"):
            (folder / version).mkdir(parents=True)
            (folder / version / "data.mdb").write_bytes(choice.randbytes(10_000))
        (folder / "v1").mkdir(mode=0o700)
        odd = choice.choice([{"dupsort": True}, {"integerkey": True}, {"reverse_key": True}, {}])
        with lmdb.open(str(folder / "v1"), max_dbs=5, map_size=1 << 24) as environment:
            table = environment.open_db(choice.choice([b"rows", b"used", b"older"]), **odd)
            with environment.begin(write=True, db=table) as transaction:
                for digest, row in zip(DIGESTS[:20], ROWS, strict=False):
                    transaction.put(digest[-8:] if odd else SPACE + digest, row.tobytes()[:400])
        return _few_warnings(lambda: use(folder))

    def trial(number: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            return in_child(lambda: work(Path(name)))

    return count(trial, trials)


def planted(trials: int, seed: int) -> Counter[str]:
    """Plant links, folders and pipes where the files of the cache should be."""
    choice = random.Random(seed)

    def work(folder: Path) -> str:
        victim = folder / "victim"
        victim.mkdir(parents=True)
        (victim / "letter").write_text("mine")
        names = ("v1", "v1/data.mdb", "v1/lock.mdb", "v1/turn.lock", "v1/sound")
        path = folder / "cache" / choice.choice(names)
        path.parent.mkdir(parents=True, mode=0o700)
        plants = (
            lambda: path.symlink_to(victim / "letter"),
            lambda: path.symlink_to(victim / "new"),
            lambda: path.symlink_to(victim),
            lambda: path.symlink_to(path),
            lambda: os.mkfifo(path),
            lambda: path.write_text("no folder") if path.name == "v1" else path.mkdir(),
        )
        choice.choice(plants)()
        outcome = _few_warnings(lambda: use(folder / "cache"))
        untouched = [p.name for p in victim.iterdir()] == ["letter"]
        return outcome if untouched and (victim / "letter").read_text() == "mine" else WRONG

    def trial(number: int) -> str:
        choice.random()  # the child's draws are not ours
        with tempfile.TemporaryDirectory() as name:
            return in_child(lambda: work(Path(name)))

    return count(trial, trials)
