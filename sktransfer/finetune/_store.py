"""Rows of numbers of any shape in one piece of memory, or of disk."""

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
#: Bytes kept in a file; with more, nothing is kept. Half of the free disk is never passed.
DISK = 16 << 30


class NoRoomError(OSError):
    """The disk has no room for a file that rows are to lie in."""


class RowStore:
    """Float32 rows, each of a shape of its own.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Of each row.
    on_disk : bool
        Whether they lie in a temporary file, which goes with this object.

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
            # Without a name from the start, so nothing stays behind a killed process.
            with tempfile.TemporaryFile(prefix="sktransfer") as file:
                _take_room(file.fileno(), 4 * size)
                self._values = np.memmap(file, dtype=np.float32, mode="w+", shape=(size,))
        else:
            self._values = np.empty(size, dtype=np.float32)

    def __getitem__(self, number: int) -> np.ndarray:
        """Return a row; writing to it changes the store."""
        shape = self._shapes[number]
        end = int(self._ends[number])
        return self._values[end - prod(shape) : end].reshape(shape)

    def take(self, numbers: Sequence[int]) -> np.ndarray:
        """Return some rows together; shorter ones are filled up with zeros at the end."""
        if self._is_uniform:
            return self._values.reshape(len(self._shapes), *self._shapes[0])[list(numbers)]
        longest = max(self._shapes[number][0] for number in numbers)
        rows = np.zeros((len(numbers), longest, *self._shapes[0][1:]), dtype=np.float32)
        for row, number in zip(rows, numbers, strict=True):
            row[: self._shapes[number][0]] = self[number]
        return rows


def _take_room(file: int, size: int) -> None:
    """Give a file its blocks; where the disk is full later, writing rows would kill the process."""
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
