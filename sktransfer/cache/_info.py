"""The state of the cache, its use by this process, and how to empty it."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.filesize import decimal

from sktransfer._forks import at_fork
from sktransfer.cache._database import data_size
from sktransfer.cache._errors import CACHE_ERRORS, warn_once
from sktransfer.cache._feature_cache import FIRST_FEATURE
from sktransfer.cache._open import cache_folder, cache_in
from sktransfer.cache._size_limit import size_limit

# Numbers of rows "asked" and "computed".
_counts: Counter[str] = Counter()
at_fork(after_in_child=_counts.clear)


@dataclass(frozen=True)
class CacheInfo:
    """State of a cache.

    Attributes
    ----------
    folder : Path or None
        Folder of the files; None for ``cache=False``.
    rows : int
        Number of stored feature rows.
    size : int
        Bytes of data. The files may be larger: the space of removed rows is used for new
        ones, and returned to the disk only by `clear_cache`.
    limit : int
        Bytes of data beyond which the rows written first are removed.
    asked : int
        Rows requested by this process, from any cache.
    computed : int
        Those of them that went through a network.
    """

    folder: Path | None
    rows: int
    size: int
    limit: int
    asked: int
    computed: int

    def __str__(self) -> str:
        lines = [
            f"folder    {self.folder or '(none)'}",
            f"rows      {self.rows:,}",
            f"size      {decimal(self.size)} of {decimal(self.limit)}",
        ]
        if self.asked:
            lines += [
                f"asked     {self.asked:,} rows by this process",
                f"computed  {self.computed:,} of them",
            ]
        return "\n".join(lines)


def record(what: str, rows: int) -> None:
    """Add to the counts of this process, which `cache_info` shows.

    Parameters
    ----------
    what : {"asked", "computed"}
        Rows that were requested, or those of them that went through a network.
    rows : int
        Number of them.
    """
    _counts[what] += rows  # one step of the interpreter: no other thread comes between


def cache_info(cache: bool | str | os.PathLike = True) -> CacheInfo:
    """Return the number and size of the rows in a cache, and how this process used it.

    Parameters
    ----------
    cache : bool, str or path-like, default=True
        As in the estimators: True for the user's folder, or a folder.

    Returns
    -------
    CacheInfo
        Printed as a small table. A folder that does not exist is not created. If the
        cache cannot be read, a `CacheWarning` says why, and it counts as empty.

    Examples
    --------
    >>> from sktransfer.cache import cache_info
    >>> cache_info("no/such/folder").rows
    0
    """
    folder = cache_folder(cache)
    rows, size = _rows_and_size(folder) if folder else (0, 0)
    return CacheInfo(folder, rows, size, size_limit(), _counts["asked"], _counts["computed"])


def clear_cache(cache: bool | str | os.PathLike = True) -> None:
    """Remove all rows and converted networks, and return their space to the disk.

    This also empties a damaged cache. Other threads and processes may use the cache
    at the same time. Only the data files of the cache are removed.

    Parameters
    ----------
    cache : bool, str or path-like, default=True
        As in the estimators: True for the user's folder, or a folder; nothing happens
        for False.

    Raises
    ------
    OSError
        If the files cannot be removed, or another process locks them for very long.
    """
    folder = cache_folder(cache)
    if folder:
        cache_in(folder).database.remove()


def _rows_and_size(folder: Path) -> tuple[int, int]:
    database = cache_in(folder).database
    try:
        if database.exists():
            with database.transaction(write=False) as connection:
                select = "SELECT count(*) FROM rows WHERE key >= ?"
                (rows,) = connection.execute(select, [FIRST_FEATURE]).fetchone()
                return rows, data_size(connection)
    except CACHE_ERRORS as error:
        warn_once(folder, error)
    return 0, 0
