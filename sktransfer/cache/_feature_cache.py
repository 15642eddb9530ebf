"""The interface of a store of feature rows, and the store that keeps nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np


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

    def read_file_digests(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the content digests of files that were digested before.

        Parameters
        ----------
        keys : sequence of bytes
            One per file: path and status, which are known without reading the file.

        Returns
        -------
        list of bytes or None
            16 bytes per key; None where it is unknown.
        """
        return [None] * len(keys)

    def write_file_digests(self, keys: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Store the content digest, of 16 bytes, of each file."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("A cache is not pickled or copied; call open_cache where it is needed.")


class NoCache(FeatureCache):
    """A cache that stores nothing."""


def nothing_found(count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of NaN and a mask that is False everywhere."""
    return np.full((count, width), np.nan, dtype=np.float32), np.zeros(count, dtype=bool)
