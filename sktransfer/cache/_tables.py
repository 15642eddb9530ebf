"""The tables of the cache as one LMDB transaction sees them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS = b"rows"  # space + digest -> sealed float32 row
USED = b"used"  # space + digest -> when the row was last used, see `stamp_of`
FILES = b"files"  # stat of a file -> sealed digest of its content
TABLES = (ROWS, USED, FILES)


@dataclass(frozen=True)
class Tables:
    """The tables within one transaction; of no use after its end.

    Attributes
    ----------
    transaction : lmdb.Transaction
    handles : dict of bytes to LMDB database
        By name; None for the one that holds the others.
    """

    transaction: Any
    handles: dict[bytes | None, Any]

    def get(self, table: bytes, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values that are there, by key."""
        return dict(self.transaction.cursor(self.handles[table]).getmulti(keys))

    def put(self, table: bytes, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Store values by key, over what was there."""
        # In the order of the tree, neighbours share pages: fewer pages to write.
        self.transaction.cursor(self.handles[table]).putmulti(sorted(items))

    def delete(self, table: bytes, keys: Iterable[bytes]) -> None:
        """Remove the keys that are there."""
        for key in keys:
            self.transaction.delete(key, db=self.handles[table])

    def empty(self, table: bytes) -> None:
        """Remove everything."""
        self.transaction.drop(self.handles[table], delete=False)

    def count(self, table: bytes) -> int:
        """Return the number of keys."""
        return self.transaction.stat(self.handles[table])["entries"]

    def size(self, *tables: bytes) -> int:
        """Return the bytes of all pages that hold data of these tables (all by default).

        This is what counts against the limit. The file itself may be larger: LMDB
        keeps the pages of removed rows for new ones and never gives them back.
        """
        stats = [self.transaction.stat(self.handles[table]) for table in tables or TABLES]
        return sum(
            (s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"]) * s["psize"] for s in stats
        )

    def last_uses(self) -> np.ndarray:
        """Return all of `USED` as an array with the fields ``key`` and ``stamp`` (seconds)."""
        cursor = self.transaction.cursor(self.handles[USED])
        raw = np.fromiter(cursor, dtype=[("key", "V32"), ("stamp", "V4")])
        return raw.view([("key", "V32"), ("stamp", ">u4")])
