"""The store of feature rows in a SQLite database."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import TypeVar

import numpy as np
import xxhash

from sktransfer.cache._database import Database, data_size
from sktransfer.cache._errors import CACHE_ERRORS, DamagedError, warn_once
from sktransfer.cache._eviction import REFRESH_AFTER, make_room, stamp
from sktransfer.cache._feature_cache import FeatureCache, nothing_found

Items = TypeVar("Items", Sequence, np.ndarray)

_CHECKSUM_SIZE = 8  # bytes
_KEY_SIZE = 32  # bytes: space + digest
_READ_ROWS = 65_536  # rows read in one transaction: about a second
_READ_BYTES = 32 * 1024**2  # read by one statement
_WRITE_BYTES = 8 * 1024**2  # written in one transaction: tens of milliseconds
_MOST_PARAMETERS = 900  # of one statement; some builds of SQLite allow 999
_LARGEST_ID = 2**62
_LARGEST_ROW = 500_000_000  # bytes; SQLite allows 1e9 per value


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
            for start in range(0, len(digests), _READ_ROWS):
                part = slice(start, start + _READ_ROWS)
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
            for start in range(0, len(rows), step):
                part = slice(start, start + step)
                self._write_part(_keys(space, digests[part]), rows[part])
        except CACHE_ERRORS as error:
            warn_once(self.folder, error)

    def _read_part(self, keys: list[bytes], rows: np.ndarray, found: np.ndarray) -> None:
        """Fill in the rows that are stored, in the order in which they are on the disk."""
        size = rows.itemsize * rows.shape[1]
        step = max(1, min(_MOST_PARAMETERS, _READ_BYTES // (size + 1)))
        with self.database.transaction(write=False) as connection:
            ids, stale = _find(connection, keys)
            order = np.argsort(ids, kind="stable")
            for part in _batches(order[np.searchsorted(ids[order], 1) :], step):
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
        self._refresh(stale)

    def _refresh(self, keys: list[bytes]) -> None:
        """Set the stamps of the last use, if that is possible without waiting."""
        if keys:
            now = stamp()
            with (
                contextlib.suppress(*CACHE_ERRORS),  # a stamp that is out of date does no harm
                self.database.transaction(write=True, wait=False) as connection,
            ):
                connection.executemany(
                    "UPDATE keys SET used = ? WHERE key = ?", [(now, key) for key in keys]
                )

    def _write_part(self, keys: list[bytes], rows: np.ndarray) -> None:
        values = {key: _sealed(key, row.tobytes()) for key, row in zip(keys, rows, strict=True)}
        now = stamp()
        with self.database.transaction(write=True) as connection:
            old = _select(connection, "id FROM keys WHERE key", list(values))
            connection.executemany("DELETE FROM rows WHERE id = ?", list(old))
            (last,) = connection.execute("SELECT max(id) FROM rows").fetchone()
            if (last or 0) > _LARGEST_ID:
                raise DamagedError("a row has an impossible number")
            items = [(number, *item) for number, item in enumerate(values.items(), (last or 0) + 1)]
            connection.executemany(
                "INSERT INTO rows VALUES (?, ?)", ((number, value) for number, _, value in items)
            )
            connection.executemany(
                "REPLACE INTO keys VALUES (?, ?, ?)",
                sorted((key, number, now) for number, key, _ in items),
            )
            size = data_size(connection)
        if size > self.database.limit:
            make_room(self.database)


def _find(connection: sqlite3.Connection, keys: list[bytes]) -> tuple[np.ndarray, list[bytes]]:
    """Look up keys.

    Returns
    -------
    ids : ndarray of shape (n,), int64
        The number of the row of each key; 0 for a key that is not stored.
    stale : list of bytes
        The keys whose stamp of the last use is out of date.
    """
    stored, stale = {}, []
    earliest, latest = stamp() - REFRESH_AFTER, stamp() + REFRESH_AFTER
    # Neighbours in the tree share pages, so each page is read once.
    for key, number, used in _select(connection, "key, id, used FROM keys WHERE key", sorted(keys)):
        if isinstance(number, int) and isinstance(used, int):  # others are damaged
            stored[key] = number
            if not earliest <= used <= latest:
                stale.append(key)
    return np.fromiter(map(stored.get, keys, repeat(0)), np.int64, len(keys)), stale


def _keys(space: bytes, digests: Sequence[bytes]) -> list[bytes]:
    keys = [space + digest for digest in digests]
    if any(len(key) != _KEY_SIZE for key in keys):
        raise ValueError("A space and a digest are 16 bytes each.")
    return keys


def _sealed(key: bytes, payload: bytes) -> bytes:
    """Return the value to store: a checksum of key and payload, and the payload."""
    return xxhash.xxh3_64_digest(key + payload) + payload


def _payload(key: bytes, value: object, size: int) -> bytes | None:
    """Return the payload of a stored value; None if it is missing or damaged."""
    if not isinstance(value, bytes) or len(value) != _CHECKSUM_SIZE + size:
        return None
    payload = value[_CHECKSUM_SIZE:]
    return payload if xxhash.xxh3_64_digest(key + payload) == value[:_CHECKSUM_SIZE] else None


def _select(connection: sqlite3.Connection, what: str, values: Sequence) -> Iterator[tuple]:
    """Iterate over the records with one of some values, in statements of limited length."""
    return chain.from_iterable(
        connection.execute(f"SELECT {what} IN ({','.join('?' * len(part))})", part)
        for part in _batches(values, _MOST_PARAMETERS)
    )


def _batches(items: Items, size: int) -> Iterator[Items]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
