"""Digests of content: 128 bits of XXH3, each kind of content in a domain of its own.

The first byte names the domain, so that no text equals a file and no file an array. The hash is
fast and not cryptographic: it guards against accidents, not against deliberate collisions.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from io import BufferedReader

import numpy as np
import xxhash

_FILE, _ARRAY, _TEXT, _STATUS, _WORDS = b"F", b"A", b"T", b"S", b"W"


def content_digest(content: bytes | bytearray) -> bytes:
    """Return the digest of the bytes of a file; `file_digest` of that file is the same."""
    hasher = xxhash.xxh3_128(_FILE)
    hasher.update(content)
    return hasher.digest()


def file_digest(file: BufferedReader) -> bytes:
    """Return the digest of an open file's content, read in blocks."""
    return hashlib.file_digest(file, lambda: xxhash.xxh3_128(_FILE)).digest()


def array_digest(array: np.ndarray) -> bytes:
    """Return the digest of dtype, shape and values in C order."""
    hasher = xxhash.xxh3_128(_ARRAY + f"{array.dtype.str}{array.shape}".encode())
    hasher.update(np.ascontiguousarray(array).data)
    return hasher.digest()


def text_digest(text: str) -> bytes:
    """Return the digest of a text."""
    return xxhash.xxh3_128_digest(_TEXT + text.encode("utf-8", "surrogatepass"))


def words_digest(words: Sequence[str]) -> bytes:
    """Return the digest of a list of words."""
    return xxhash.xxh3_128_digest(_WORDS + json.dumps(words).encode())


def status_digest(path: str, *numbers: int) -> bytes:
    """Return the digest of a file's absolute path and the numbers of its status."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - called per row, see _files.py
    status = repr((absolute, numbers)).encode("utf-8", "surrogatepass")
    return xxhash.xxh3_128_digest(_STATUS + status)
