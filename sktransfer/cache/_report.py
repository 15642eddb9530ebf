"""What the cache holds, and emptying it."""

import os
from dataclasses import dataclass
from pathlib import Path

from sktransfer.cache._blobs import Blobs
from sktransfer.cache._counts import counts
from sktransfer.cache._limit import format_size, size_limit
from sktransfer.cache._open import cache_folder, cache_in
from sktransfer.cache._tables import ROWS
from sktransfer.cache._trouble import TROUBLE, warn_once


@dataclass(frozen=True)
class CacheInfo:
    """The state of a cache.

    Attributes
    ----------
    folder : Path or None
        Where the rows lie; None for ``cache=False``.
    rows : int
        Rows of features that are kept.
    size : int
        Bytes of data. The files may take more on the disk: space of removed rows is
        used again, and given back only by `clear_cache`.
    limit : int
        Bytes of data beyond which the rows unused for longest are removed.
    asked : int
        Rows of features asked for by this process, from any cache.
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
            f"size      {format_size(self.size)} of {format_size(self.limit)}",
        ]
        if self.asked:
            lines += [
                f"asked     {self.asked:,} rows by this process",
                f"computed  {self.computed:,} of them",
            ]
        return "\n".join(lines)


def cache_info(cache: bool | str | os.PathLike = True) -> CacheInfo:
    """Return how many rows a cache holds, and how much this process made of it.

    Parameters
    ----------
    cache : bool, str or path-like, default=True
        As in the estimators: True for the user's folder, or a folder.

    Returns
    -------
    CacheInfo
        Printed, it is a small table. A folder that does not exist is not made. Where
        the cache cannot be read, a `CacheWarning` says why, and it counts as empty.

    Examples
    --------
    >>> from sktransfer.cache import cache_info
    >>> cache_info("no/such/folder").rows
    0
    """
    folder = cache_folder(cache)
    rows, size = _rows_and_size(folder) if folder else (0, 0)
    asked, computed = counts()
    return CacheInfo(folder, rows, size, size_limit(), asked, computed)


def clear_cache(cache: bool | str | os.PathLike = True) -> None:
    """Forget all rows and converted networks, and give their space back to the disk.

    It also empties a cache that is damaged. Other threads and processes may use the
    cache meanwhile. Only the cache's own data files are removed.

    Parameters
    ----------
    cache : bool, str or path-like, default=True
        As in the estimators: True for the user's folder, or a folder; nothing happens
        for False.

    Raises
    ------
    OSError
        If the files cannot be removed, or another process holds them for very long.
    """
    folder = cache_folder(cache)
    if folder:
        cache_in(folder).environment.remove()
        Blobs(folder).remove()


def _rows_and_size(folder: Path) -> tuple[int, int]:
    environment = cache_in(folder).environment
    try:
        if environment.exists():
            with environment.reading() as tables:
                return tables.count(ROWS), tables.size()
    except TROUBLE as error:
        warn_once(folder, error)
    return 0, 0
