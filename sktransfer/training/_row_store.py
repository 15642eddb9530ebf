"""Float32 rows of any shape in one block of memory, or in a temporary file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from math import prod

import numpy as np

Shape = tuple[int, ...]

#: Bytes kept in memory; more are kept in a temporary file.
MEMORY = 1 << 30
#: Bytes kept in a file at most, and never more than half of the free disk.
DISK = 16 << 30


class NoRoomError(OSError):
    """The disk has no room for a file of rows."""


class RowStore:
    """Float32 rows of different shapes.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Shape of each row.
    on_disk : bool
        Whether they are stored in a temporary file, which is removed with this object.

    Raises
    ------
    NoRoomError
        If there is no room for that file.
    """

    def __init__(self, shapes: Sequence[Shape], on_disk: bool = False) -> None:
        self._shapes = shapes
        self._ends = np.cumsum([prod(shape) for shape in shapes], dtype=np.int64)
        size = int(self._ends[-1]) if len(shapes) else 0
        self._is_uniform = len(set(shapes)) == 1
        self._values: np.ndarray
        if on_disk:
            # Unlinked from the start, so a killed process leaves nothing behind.
            with tempfile.TemporaryFile(prefix="sktransfer") as file:
                _take_room(file.fileno(), 4 * size)
                self._values = np.memmap(file, dtype=np.float32, mode="w+", shape=(size,))
        else:
            self._values = np.empty(size, dtype=np.float32)

    def __getitem__(self, number: int) -> np.ndarray:
        """Return a view of a row."""
        shape = self._shapes[number]
        end = int(self._ends[number])
        return self._values[end - prod(shape) : end].reshape(shape)

    def take(self, numbers: Sequence[int]) -> np.ndarray:
        """Return some rows as one array; shorter ones are padded with zeros."""
        if self._is_uniform:
            return self._values.reshape(len(self._shapes), *self._shapes[0])[list(numbers)]
        longest = max(self._shapes[number][0] for number in numbers)
        rows = np.zeros((len(numbers), longest, *self._shapes[0][1:]), dtype=np.float32)
        for row, number in zip(rows, numbers, strict=True):
            row[: self._shapes[number][0]] = self[number]
        return rows


def _take_room(file: int, size: int) -> None:
    """Allocate the blocks of a file: a write to a full disk would kill the process."""
    if hasattr(os, "posix_fallocate") and size:
        try:
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            raise NoRoomError(*error.args) from error


def size_of(shapes: Sequence[Shape]) -> int:
    """Return the bytes of rows of these shapes."""
    return 4 * sum(map(prod, shapes))


def disk_room() -> int:
    """Return how many bytes may be kept in a temporary file."""
    return min(DISK, shutil.disk_usage(tempfile.gettempdir()).free // 2)
