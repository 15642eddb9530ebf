"""Removal of the rows unused for longest, when the cache exceeds its limit."""

import math
import time

from sktransfer.cache._database import Database, data_size
from sktransfer.cache._errors import DamagedError
from sktransfer.cache._feature_cache import FIRST_OBJECT

KEPT = 0.8  # share of the limit that is left after making room
REFRESH_AFTER = 3600  # seconds for which a stamp of the last use stands, so that reads seldom write
_MOST_KEYS = 200_000  # looked up at a time; about 40 MB
_MOST_REMOVED = 500  # rows in one transaction
_LATEST = 2**32  # seconds


def stamp() -> int:
    """Return the present time as whole seconds, within what SQLite can store."""
    return int(min(max(0.0, time.time()), _LATEST))


def make_room(database: Database) -> None:
    """Remove rows, those unused for longest first, until the data is well below the limit."""
    target = int(database.limit * KEPT)
    before: list[tuple] = []
    while keys := _oldest_keys(database, target):
        if keys == before:
            raise DamagedError(f"rows in {database.folder} cannot be removed")
        _remove(database, keys, target)
        before = keys
    with database.transaction(write=True) as connection:
        if data_size(connection) > target:  # rows without a key, which damage may leave
            connection.execute("DELETE FROM rows")


def _oldest_keys(database: Database, target: int) -> list[tuple]:
    """Return the (key, id) of about as many rows as have to go."""
    with database.transaction(write=False) as connection:
        excess = 1 - target / data_size(connection)
        if excess <= 0:
            return []
        (count,) = connection.execute("SELECT count(*) FROM keys").fetchone()
        # Digests of files are quickly computed again. A stamp from the future, set by a clock that
        # was wrong for a while, says nothing.
        return connection.execute(
            "SELECT key, id FROM keys "
            "ORDER BY CASE WHEN key < ? OR used > ? THEN 0 ELSE used END LIMIT ?",
            (FIRST_OBJECT, stamp() + REFRESH_AFTER, min(math.ceil(count * excess), _MOST_KEYS)),
        ).fetchall()


def _remove(database: Database, keys: list[tuple], target: int) -> None:
    # Rows differ in width, so look at the size often: some of the keys may not have to go.
    step = min(_MOST_REMOVED, 1 + len(keys) // 100)
    for start in range(0, len(keys), step):
        part = keys[start : start + step]
        with database.transaction(write=True) as connection:
            if data_size(connection) <= target:
                return
            connection.executemany("DELETE FROM rows WHERE id = ?", [(row,) for _, row in part])
            connection.executemany("DELETE FROM keys WHERE key = ?", [(key,) for key, _ in part])
