"""A cache that is read and not written, for rows that nobody asks for again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from sktransfer.cache._feature_cache import FeatureCache

# One per thread: a thread whose rows are not stored does not affect another.
_IS_READ_ONLY: ContextVar[bool] = ContextVar("sktransfer_reading_only", default=False)


@contextmanager
def reading_only() -> Iterator[None]:
    """Read all caches that this thread opens within the block, and write to none."""
    token = _IS_READ_ONLY.set(True)
    try:
        yield
    finally:
        _IS_READ_ONLY.reset(token)


def is_reading_only() -> bool:
    """Return whether caches opened now are not written to."""
    return _IS_READ_ONLY.get()


class ReadOnlyCache(FeatureCache):
    """A view of a cache that drops what is written.

    Parameters
    ----------
    cache : FeatureCache
        Is read.
    """

    def __init__(self, cache: FeatureCache) -> None:
        self._cache = cache

    @property
    def folder(self) -> Path | None:  # type: ignore[override]
        """Folder of the files."""
        return self._cache.folder

    def read(
        self, space: bytes, digests: Sequence[bytes], width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that are stored; see `FeatureCache.read`."""
        return self._cache.read(space, digests, width)

    def read_texts(self, space: bytes, digests: Sequence[bytes]) -> list[str | None]:
        """Return the texts that are stored; see `FeatureCache.read_texts`."""
        return self._cache.read_texts(space, digests)
