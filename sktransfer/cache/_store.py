"""The store of feature rows as the embedders see it."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import lmdb
import numpy as np

from sktransfer.cache._environment import Environment
from sktransfer.cache._eviction import REFRESH_AFTER, make_room, now, stamp_of
from sktransfer.cache._record import seal, unseal_all
from sktransfer.cache._tables import FILES, ROWS, USED
from sktransfer.cache._trouble import TROUBLE, warn_once

_DIGEST_SIZE = 16  # bytes of the digest of a cell or of a file's content
_KEY_SIZE = 32  # bytes: space + digest
_READ_ROWS = 4096  # rows read in one transaction
_WRITE_BYTES = 4 * 1024**2  # written in one transaction: tens of milliseconds


class FeatureCache(ABC):
    """A store of float32 rows, by the space they belong to and the digest of their cell.

    Nothing that happens to the machine (a full disk, a damaged file, a second process)
    is an error here: a row that cannot be read was not found, and a row that cannot be
    written is not kept; a `CacheWarning` says so once.

    Attributes
    ----------
    folder : Path or None
        Where the rows lie; None if nothing is ever kept.
    """

    folder: Path | None

    @abstractmethod
    def read(
        self, space: bytes, digests: Sequence[bytes], width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that are there.

        Parameters
        ----------
        space : bytes
            What computed the rows, from `space_key`.
        digests : sequence of bytes
            16 bytes for each cell; the same one may occur more than once.
        width : int
            Values in a row; a stored row of another width is not found.

        Returns
        -------
        rows : ndarray of shape (n, width), float32
            In the order of the digests; NaN where nothing was found.
        found : ndarray of shape (n,), bool
        """

    @abstractmethod
    def write(self, space: bytes, digests: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep the rows, over those that are there.

        Parameters
        ----------
        space : bytes
            What computed the rows, from `space_key`.
        digests : sequence of bytes
            16 bytes for each cell.
        rows : ndarray of shape (n, width)
            Stored as float32.

        Raises
        ------
        ValueError
            If ``rows`` is not of that shape.
        """

    @abstractmethod
    def read_file_digests(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the digest of the content of files that were digested before.

        Parameters
        ----------
        keys : sequence of bytes
            What is known of each file without reading it; at most 511 bytes each.

        Returns
        -------
        list of bytes or None
            16 bytes for each key; None where it is not known.
        """

    @abstractmethod
    def write_file_digests(self, keys: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Keep the digest, of 16 bytes, of the content of each file."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("A cache is not pickled or copied; call open_cache where it is needed.")


class NoCache(FeatureCache):
    """The cache that never holds anything."""

    folder = None

    def read(
        self, space: bytes, digests: Sequence[bytes], width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find nothing."""
        return _nothing_found(len(digests), width)

    def write(self, space: bytes, digests: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep nothing."""

    def read_file_digests(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Know nothing."""
        return [None] * len(keys)

    def write_file_digests(self, keys: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Keep nothing."""


class LmdbCache(FeatureCache):
    """The cache in a folder; made by `open_cache` only."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.folder: Path = environment.folder

    def read(
        self, space: bytes, digests: Sequence[bytes], width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that are there, see `FeatureCache.read`."""
        rows, found = _nothing_found(len(digests), width)
        try:
            for start in range(0, len(digests), _READ_ROWS):
                part = slice(start, start + _READ_ROWS)
                stale = self._read_part(_keys(space, digests[part]), rows[part], found[part])
                self._refresh(stale)
        except TROUBLE as error:
            warn_once(self.folder, error)
        return rows, found

    def write(self, space: bytes, digests: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep the rows, see `FeatureCache.write`."""
        rows = np.ascontiguousarray(rows, dtype="<f4")
        if rows.ndim != 2 or len(rows) != len(digests):
            raise ValueError(f"{len(digests)} digests do not fit rows of shape {rows.shape}.")
        step = max(1, _WRITE_BYTES // max(1, rows.itemsize * rows.shape[1]))
        try:
            for start in range(0, len(rows), step):
                part = slice(start, start + step)
                self._write_part(_keys(space, digests[part]), rows[part])
        except TROUBLE as error:
            warn_once(self.folder, error)

    def read_file_digests(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return known digests of files, see `FeatureCache.read_file_digests`."""
        try:
            with self.environment.reading() as tables:
                values = tables.get(FILES, keys)
        except TROUBLE as error:
            warn_once(self.folder, error)
            values = {}
        return unseal_all(values, keys, _DIGEST_SIZE)

    def write_file_digests(self, keys: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Keep the digests of files, see `FeatureCache.write_file_digests`."""
        items = [(key, seal(key, digest)) for key, digest in zip(keys, digests, strict=True)]
        try:
            self._put_with_room({FILES: items})
        except TROUBLE as error:
            warn_once(self.folder, error)

    def _read_part(self, keys: list[bytes], rows: np.ndarray, found: np.ndarray) -> list[bytes]:
        """Fill in the rows that are there; return the keys whose stamp is out of date."""
        with self.environment.reading() as tables:
            values = tables.get(ROWS, keys)
            stamps = tables.get(USED, keys)
        payloads = unseal_all(values, keys, rows.itemsize * rows.shape[1])
        kept = [i for i, payload in enumerate(payloads) if payload is not None]
        together = b"".join(payload for payload in payloads if payload is not None)
        rows[kept] = np.frombuffer(together, dtype="<f4").reshape(len(kept), rows.shape[1])
        found[kept] = True
        oldest, newest = (stamp_of(now() + step) for step in (-REFRESH_AFTER, REFRESH_AFTER))
        return [keys[i] for i in kept if not oldest <= stamps.get(keys[i], b"") <= newest]

    def _refresh(self, keys: list[bytes]) -> None:
        """Note that these rows are in use, if that can be done without waiting."""
        stamp = stamp_of(now())
        if keys:
            with (
                contextlib.suppress(*TROUBLE),  # a stamp that is out of date does no harm
                self.environment.writing(patient=False) as tables,
            ):
                tables.put(USED, [(key, stamp) for key in keys])

    def _write_part(self, keys: list[bytes], rows: np.ndarray) -> None:
        stamp = stamp_of(now())
        sealed = [(key, seal(key, row.tobytes())) for key, row in zip(keys, rows, strict=True)]
        self._put_with_room({ROWS: sealed, USED: [(key, stamp) for key in keys]})

    def _put_with_room(self, items: dict[bytes, list[tuple[bytes, bytes]]]) -> None:
        """Store items by table; make room where the map or the limit asks for it."""
        try:
            size = self._put(items)
        except lmdb.MapFullError:
            make_room(self.environment)
            size = self._put(items)
        if size > self.environment.limit:
            make_room(self.environment)

    def _put(self, items: dict[bytes, list[tuple[bytes, bytes]]]) -> int:
        with self.environment.writing() as tables:
            for table, pairs in items.items():
                tables.put(table, pairs)
            return tables.size()


def _keys(space: bytes, digests: Sequence[bytes]) -> list[bytes]:
    keys = [space + digest for digest in digests]
    if any(len(key) != _KEY_SIZE for key in keys):
        raise ValueError("A space and a digest are 16 bytes each.")
    return keys


def _nothing_found(count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((count, width), np.nan, dtype=np.float32), np.zeros(count, dtype=bool)
