"""A batch for which the memory does not suffice goes through the network in parts."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from sktransfer import _runtime
from sktransfer.exceptions import MemoryWarning

_ONE_ROW = (
    "The memory does not suffice for one row. Use smaller images (image_size) or shorter texts "
    "(max_length), a smaller backbone, or device='cpu'."
)


class Portions:
    """How much goes through the network at a time; found out by trying, for all of one pass.

    Several threads may run batches of it.

    Parameters
    ----------
    size : callable, optional
        From a batch to what it takes of the memory, in any unit; by default rows times the
        longest of them.
    """

    def __init__(self, size: Callable[[Any], int] | None = None) -> None:
        self._size = size or _rows_times_longest
        self._most: float = math.inf
        self._lock = threading.Lock()

    def run(self, compute: Callable[[Any], np.ndarray], batch: Any) -> np.ndarray:
        """Return ``compute(batch)``; where the memory does not suffice, of its parts.

        Parameters
        ----------
        compute : callable
            From a batch to one row for each of its entries.
        batch : sequence
            Its slices are batches too.

        Returns
        -------
        ndarray of shape (n, d)

        Raises
        ------
        MemoryError
            If it does not suffice for a single entry.
        """
        if len(batch) == 1 or self._size(batch) <= self._most:
            try:
                return compute(batch)
            except Exception as error:
                if not _runtime.is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise MemoryError(_ONE_ROW) from error
        # Only here, after the error with all that it holds is gone.
        middle = (len(batch) + 1) // 2
        self._expect(batch, middle)
        parts = [self.run(compute, part) for part in (batch[:middle], batch[middle:])]
        return np.concatenate(parts)

    def _expect(self, batch: Any, middle: int) -> None:
        """Note that a batch was too large, and tell of it once."""
        with self._lock:
            if self._size(batch) > self._most:
                return
            is_first = self._most == math.inf
            self._most = self._size(batch[:middle])
        if is_first:
            warnings.warn(
                f"The memory does not suffice for {len(batch)} rows at a time; the work goes on "
                f"with {middle}, and with fewer where it must. With batch_size={middle} no time "
                "is lost in trying.",
                MemoryWarning,
                stacklevel=2,
            )
        _runtime.free_memory()


def _rows_times_longest(batch: Any) -> int:
    return len(batch) * max(map(len, batch))
