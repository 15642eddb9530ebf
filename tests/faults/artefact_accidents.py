"""Saved files damaged by accident: bits flipped, bytes lost or duplicated, members swapped."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.faults.artefact_files import unzipped, zipped

Mutation = Callable[[bytes, random.Random], bytes]


def damaged_file(content: bytes, draw: random.Random) -> bytes:
    """Return a file with one random damage; its digests are not updated."""
    return draw.choice([*_OF_BYTES, flip, flip, _swap, _drop, _add])(content, draw)


def damaged_bytes(content: bytes, draw: random.Random) -> bytes:
    """Return bytes with one random damage."""
    return draw.choice(_OF_BYTES)(content, draw)


def flip(content: bytes, draw: random.Random) -> bytes:
    """Return bytes with one or several flipped bits."""
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 8, 64])):
        # The directory at the end is what a reader trusts most.
        start = max(0, len(changed) - 600) if draw.random() < 0.3 else 0
        changed[draw.randrange(start, len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def _range(content: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(content))
    return start, min(len(content), start + draw.choice([1, 7, 64, 512, 4_096]))


def _lose(content: bytes, draw: random.Random) -> bytes:
    start, end = _range(content, draw)
    return content[:start] + content[end:]


def _double(content: bytes, draw: random.Random) -> bytes:
    start, end = _range(content, draw)
    return content[:end] + content[start:]


def _blank(content: bytes, draw: random.Random) -> bytes:
    start, end = _range(content, draw)
    return content[:start] + bytes(end - start) + content[end:]


def _swap(content: bytes, draw: random.Random) -> bytes:
    members = unzipped(content)
    one, other = draw.sample(sorted(members), 2)
    members[one], members[other] = members[other], members[one]
    return zipped(members)


def _drop(content: bytes, draw: random.Random) -> bytes:
    members = unzipped(content)
    del members[draw.choice(sorted(members))]
    return zipped(members)


def _add(content: bytes, draw: random.Random) -> bytes:
    members = unzipped(content)
    name = draw.choice(["trained/9.safetensors", "../up", "/etc/x", "a", "backbones/5.json"])
    return zipped({**members, name: draw.randbytes(9)})


_OF_BYTES: list[Mutation] = [flip, _cut, _lose, _double, _blank]
