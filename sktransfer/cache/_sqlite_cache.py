"""The store of feature rows and texts in a SQLite database."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import xxhash

from sktransfer.cache._database import Database, data_size
from sktransfer.cache._errors import CACHE_ERRORS, DamagedError, warn_once
from sktransfer.cache._feature_cache import FeatureCache, nothing_found

_CHECKSUM_SIZE = 8  # bytes
_KEY_SIZE = 32  # bytes: space + digest
_READ_ROWS = 65_536  # rows read in one transaction: about a second
_READ_TEXTS = 4_096  # texts read in one transaction
_READ_BYTES = 32 * 1024**2  # read by one statement
_WRITE_BYTES = 8 * 1024**2  # written in one transaction: tens of milliseconds
_MOST_PARAMETERS = 900  # of one statement; some builds of SQLite allow 999
_LARGEST_ROW = 900_000_000  # bytes; SQLite allows 1e9 per value
_KEPT = 0.8  # share of the limit that is left after making room

# In short transactions. Rows differ in width, so the size is looked at often.
_REMOVE_OLDEST = """
DELETE FROM rows WHERE id IN (
    SELECT id FROM rows ORDER BY id
    LIMIT (SELECT min(500, 1 + ifnull(max(id) - min(id), 0) / 100) FROM rows)
)"""


class SqliteCache(FeatureCache):
    """The cache in a folder; created by `open_cache` only."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.folder: Path = database.folder

    def read(
        self, space: bytes, digests: Sequence[bytes], width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that are stored, see `FeatureCache.read`."""
        rows, found = nothing_found(len(digests), width)
        try:
            for part in _slices(len(digests), _READ_ROWS):
                self._read_part(_keys(space, digests[part]), rows[part], found[part])
        except CACHE_ERRORS as error:
            warn_once(self.folder, error)
        return rows, found

    def write(self, space: bytes, digests: Sequence[bytes], rows: np.ndarray) -> None:
        """Store rows, see `FeatureCache.write`."""
        rows = np.ascontiguousarray(rows, dtype="<f4")
        if rows.ndim != 2 or len(rows) != len(digests):
            raise ValueError(f"{len(digests)} digests do not fit rows of shape {rows.shape}.")
        size = rows.itemsize * rows.shape[1]
        if size > min(self.database.limit, _LARGEST_ROW):
            return
        step = max(1, _WRITE_BYTES // max(1, size))
        try:
            for part in _slices(len(rows), step):
                pairs = zip(_keys(space, digests[part]), rows[part], strict=True)
                self._write_part({key: row.tobytes() for key, row in pairs})
        except CACHE_ERRORS as error:
            warn_once(self.folder, error)

    def read_texts(self, space: bytes, digests: Sequence[bytes]) -> list[str | None]:
        """Return the texts that are stored, see `FeatureCache.read_texts`."""
        texts: list[str | None] = []
        try:
            for part in _slices(len(digests), _READ_TEXTS):
                keys = _keys(space, digests[part])
                with self.database.transaction(write=False) as connection:
                    stored = dict(_select(connection, "key, value FROM rows WHERE key", keys))
                payloads = [_payload(key, stored.get(key)) for key in keys]
                texts += [None if found is None else found.decode() for found in payloads]
        except CACHE_ERRORS as error:
            warn_once(self.folder, error)
        return texts + [None] * (len(digests) - len(texts))

    def write_texts(self, space: bytes, digests: Sequence[bytes], texts: Sequence[str]) -> None:
        """Store texts, see `FeatureCache.write_texts`."""
        contents = [text.encode() for text in texts]
        largest = min(self.database.limit, _LARGEST_ROW)
        pairs = zip(_keys(space, digests), contents, strict=True)
        try:
            self._write_part({key: text for key, text in pairs if len(text) <= largest})
        except CACHE_ERRORS as error:
            warn_once(self.folder, error)

    def _read_part(self, keys: list[bytes], rows: np.ndarray, found: np.ndarray) -> None:
        """Fill in the rows that are stored, in the order in which they are on the disk."""
        size = rows.itemsize * rows.shape[1]
        step = max(1, min(_MOST_PARAMETERS, _READ_BYTES // (size + 1)))
        with self.database.transaction(write=False) as connection:
            # Neighbours in the index share pages, so each page is read once.
            stored = dict(_select(connection, "key, id FROM rows WHERE key", sorted(keys)))
            ids = np.fromiter(map(stored.get, keys, repeat(0)), np.int64, len(keys))
            order = np.argsort(ids, kind="stable")
            stored_at = order[np.searchsorted(ids[order], 1) :]
            for part in map(stored_at.__getitem__, _slices(len(stored_at), step)):
                numbers = ids[part].tolist()
                values = dict(_select(connection, "id, value FROM rows WHERE id", numbers))
                payloads = [
                    _payload(keys[i], values.get(number), size)
                    for i, number in zip(part.tolist(), numbers, strict=True)
                ]
                valid = part[[payload is not None for payload in payloads]]
                joined = b"".join(filter(None, payloads))
                rows[valid] = np.frombuffer(joined, dtype="<f4").reshape(len(valid), rows.shape[1])
                found[valid] = True

    def _write_part(self, payloads: dict[bytes, bytes]) -> None:
        values = {key: _sealed(key, payload) for key, payload in payloads.items()}
        with self.database.transaction(write=True) as connection:
            connection.executemany("REPLACE INTO rows (key, value) VALUES (?, ?)", values.items())
            size = data_size(connection)
        if size > self.database.limit:
            self._make_room()

    def _make_room(self) -> None:
        """Remove the rows that were written first, until the data is well below the limit.

        A limit of less than an empty database, 25 kB, leaves no row.
        """
        while True:
            with self.database.transaction(write=True) as connection:
                if data_size(connection) <= self.database.limit * _KEPT:
                    return
                if connection.execute(_REMOVE_OLDEST).rowcount < 1:
                    if connection.execute("SELECT 1 FROM rows").fetchone() is None:
                        return
                    raise DamagedError(f"rows in {self.folder} cannot be removed")


def _keys(space: bytes, digests: Sequence[bytes]) -> list[bytes]:
    keys = [space + digest for digest in digests]
    if any(len(key) != _KEY_SIZE for key in keys):
        raise ValueError("A space and a digest are 16 bytes each.")
    return keys


def _sealed(key: bytes, payload: bytes) -> bytes:
    """Return the value to store: a checksum of key and payload, and the payload."""
    return xxhash.xxh3_64_digest(key + payload) + payload


def _payload(key: bytes, value: object, size: int | None = None) -> bytes | None:
    """Return the payload of a stored value; None if it is missing, damaged or of another size."""
    if not isinstance(value, bytes) or (size is not None and len(value) != _CHECKSUM_SIZE + size):
        return None
    payload = value[_CHECKSUM_SIZE:]
    return payload if xxhash.xxh3_64_digest(key + payload) == value[:_CHECKSUM_SIZE] else None


def _select(connection: sqlite3.Connection, what: str, values: Sequence) -> Iterator[tuple]:
    """Iterate over the records with one of some values, in statements of limited length."""
    return chain.from_iterable(
        connection.execute(f"SELECT {what} IN ({','.join('?' * len(part))})", part)
        for part in map(values.__getitem__, _slices(len(values), _MOST_PARAMETERS))
    )


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
