"""The interface of a store of feature rows, and the store that keeps nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from sktransfer.cache._size_limit import size_limit

# Spaces that `space_key` never returns, of rows that are no features. They are the first keys.
_FILE_DIGESTS, _OBJECTS, _SIZES = bytes(16), bytes(15) + b"\1", bytes(15) + b"\2"
#: Keys from here on are of features, keys before it are of something else.
FIRST_FEATURE = bytes(15) + b"\3"

_LARGEST_SHARE = 5  # an object may take a fifth of the limit of the cache


class FeatureCache:
    """A store of float32 rows, keyed by feature space and digest of the cell.

    This base class stores nothing.

    The state of the machine (a full disk, a damaged file, a second process) never raises an
    error here: a row that cannot be read is not found, a row that cannot be written is not
    stored, and a `CacheWarning` says so once.

    Attributes
    ----------
    folder : Path or None
        Folder of the files; None if nothing is ever stored.
    """

    folder: Path | None = None

    def read(
        self, space: bytes, digests: Sequence[bytes], width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that are stored.

        Parameters
        ----------
        space : bytes
            The feature space, from `space_key`.
        digests : sequence of bytes
            16 bytes per cell; may contain duplicates.
        width : int
            Values per row; a stored row of another width is not found.

        Returns
        -------
        rows : ndarray of shape (n, width), float32
            In the order of `digests`; NaN where nothing was found.
        found : ndarray of shape (n,), bool
        """
        return nothing_found(len(digests), width)

    def write(self, space: bytes, digests: Sequence[bytes], rows: np.ndarray) -> None:
        """Store rows, replacing those of the same key.

        Parameters
        ----------
        space : bytes
            The feature space, from `space_key`.
        digests : sequence of bytes
            16 bytes per cell.
        rows : ndarray of shape (n, width)
            Stored as float32.

        Raises
        ------
        ValueError
            If `rows` does not have that shape.
        """

    def read_texts(self, space: bytes, digests: Sequence[bytes]) -> list[str | None]:
        """Return the texts that are stored.

        Parameters
        ----------
        space : bytes
            What computes the texts, from `space_key`.
        digests : sequence of bytes
            16 bytes per cell; may contain duplicates.

        Returns
        -------
        list of str or None
            In the order of `digests`; None where nothing was found.
        """
        return [None] * len(digests)

    def write_texts(self, space: bytes, digests: Sequence[bytes], texts: Sequence[str]) -> None:
        """Store texts, replacing those of the same key.

        Parameters
        ----------
        space : bytes
            What computes the texts, from `space_key`.
        digests : sequence of bytes
            16 bytes per cell.
        texts : sequence of str
            One per digest.
        """

    def read_file_digests(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the content digests of files that were digested before.

        Parameters
        ----------
        keys : sequence of bytes
            16 bytes per file, of what is known without reading it: path and status.

        Returns
        -------
        list of bytes or None
            16 bytes per key; None where it is unknown.
        """
        rows, found = self.read(_FILE_DIGESTS, keys, width=4)
        return [row.tobytes() if known else None for row, known in zip(rows, found, strict=True)]

    def write_file_digests(self, keys: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Store the content digest, of 16 bytes, of each file."""
        self.write(_FILE_DIGESTS, keys, np.frombuffer(b"".join(digests), "<f4").reshape(-1, 4))

    def read_object(self, key: bytes) -> np.ndarray | None:
        """Return the bytes stored under a key by `write_object`, as an array of uint8.

        Returns
        -------
        ndarray of shape (n,), uint8, or None
            None if they are missing or damaged.
        """
        sizes, found = self.read(_SIZES, [key], width=2)
        if not found[0]:
            return None
        size = int(sizes.view(np.int64)[0, 0])
        rows, found = self.read(_OBJECTS, [key], width=math.ceil(size / 4))
        return rows.view(np.uint8)[0, :size] if found[0] else None

    def write_object(self, key: bytes, content: bytes) -> None:
        """Store bytes under a key, as a row; nothing larger than a fifth of the limit.

        Parameters
        ----------
        key : bytes
            From `space_key`.
        content : bytes
            For example, a converted network.
        """
        if len(content) > size_limit() // _LARGEST_SHARE:
            return
        padded = content + bytes(-len(content) % 4)
        self.write(_OBJECTS, [key], np.frombuffer(padded, "<f4")[np.newaxis])
        self.write(_SIZES, [key], np.array([[len(content)]], np.int64).view("<f4"))

    def __reduce__(self) -> NoReturn:
        raise TypeError("A cache is not pickled or copied; call open_cache where it is needed.")


class NoCache(FeatureCache):
    """A cache that stores nothing."""


def nothing_found(count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of NaN and a mask that is False everywhere."""
    return np.full((count, width), np.nan, dtype=np.float32), np.zeros(count, dtype=bool)
