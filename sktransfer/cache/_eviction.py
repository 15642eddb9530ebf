"""Making room: the rows that were not used for longest go first."""

import time
from collections.abc import Iterator

import numpy as np

from sktransfer.cache._environment import Environment
from sktransfer.cache._tables import FILES, ROWS, USED, Tables

KEPT = 0.8  # of the limit is left after making room
REFRESH_AFTER = 3600  # seconds a stamp stands, so that reading seldom has to write
_LAST = 2**32 - 1  # seconds: the year 2106; a wrong clock can show a later one
_BATCH = 2000  # rows removed in one transaction: tens of milliseconds


def stamp_of(seconds: float) -> bytes:
    """Return a point in time as the 4 bytes of a stamp; their order is that of time."""
    return min(max(0, int(seconds)), _LAST).to_bytes(4, "big")


def now() -> float:
    """Return the seconds of the system's clock."""
    return time.time()


def make_room(environment: Environment) -> None:
    """Remove rows, those unused for longest first, until the data fits well in the limit."""
    target = int(environment.limit * KEPT)
    environment.free_dead_readers()
    _empty_large_memo(environment, target)
    for keys in _oldest_first(environment):
        with environment.writing() as tables:
            if _fits_after_removing(keys, tables, target):
                return
    with environment.writing() as tables:
        if tables.size() > target:  # rows without a stamp, as damage might leave them
            tables.empty(ROWS)


def _fits_after_removing(keys: list[bytes], tables: Tables, target: int) -> bool:
    """Remove as many of the keys as it takes, in their order."""
    for key in keys:
        if tables.size() <= target:
            return True
        tables.delete(ROWS, [key])
        tables.delete(USED, [key])
    return tables.size() <= target


def _empty_large_memo(environment: Environment, target: int) -> None:
    # The digests of files are quickly made again, so keeping order among them is not
    # worth the bookkeeping.
    with environment.writing() as tables:
        if tables.size(FILES) > target // 10:
            tables.empty(FILES)


def _oldest_first(environment: Environment) -> Iterator[list[bytes]]:
    with environment.reading() as tables:
        uses = tables.last_uses()
    # A stamp from the far future, of a clock that was wrong for a while, says nothing.
    stamps = np.where(uses["stamp"] > now() + REFRESH_AFTER, 0, uses["stamp"])
    order = np.argsort(stamps, kind="stable")
    for start in range(0, len(order), _BATCH):
        yield [bytes(key) for key in uses["key"][order[start : start + _BATCH]]]
