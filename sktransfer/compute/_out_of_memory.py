"""Batches that do not fit in memory, split until they do."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from sktransfer import _runtime
from sktransfer._warnings import warn
from sktransfer.exceptions import MemoryWarning

_ONE_ROW = (
    "Out of memory with a single row. Use smaller images (image_size) or shorter texts "
    "(max_length), a smaller backbone, or device='cpu'."
)


class OutOfMemorySplitter:
    """Computes batches in parts where they do not fit in memory; remembers what fitted.

    Several threads may share one.

    Parameters
    ----------
    size : callable
        From a batch to its memory in any unit, such as rows times the longest of them.
    """

    def __init__(self, size: Callable[[Any], int] = len) -> None:
        self._size = size
        self._largest: float = math.inf
        self._lock = threading.Lock()

    def run(self, function: Callable[[Any], np.ndarray], batch: Any) -> np.ndarray:
        """Return ``function(batch)``, computed on parts of the batch where memory is short.

        Parameters
        ----------
        function : callable
            From a batch to one row for each of its entries.
        batch : sequence
            Its slices are batches too.

        Returns
        -------
        ndarray of shape (n, d)

        Raises
        ------
        MemoryError
            If a single entry does not fit.
        """
        if len(batch) == 1 or self._size(batch) <= self._largest:
            try:
                return function(batch)
            except Exception as error:
                if not _runtime.is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise MemoryError(_ONE_ROW) from error
        # Outside the handler, when the error and all that it references are gone.
        middle = (len(batch) + 1) // 2
        self._shrink(batch, middle)
        parts = [self.run(function, part) for part in (batch[:middle], batch[middle:])]
        return np.concatenate(parts)

    def _shrink(self, batch: Any, middle: int) -> None:
        """Record that a batch was too large; warn the first time."""
        with self._lock:
            if self._size(batch) > self._largest:
                return
            is_first = self._largest == math.inf
            self._largest = self._size(batch[:middle])
        if is_first:
            warn(
                f"Out of memory with {len(batch)} rows per batch; continuing with {middle}, and "
                f"fewer if needed. Set batch_size={middle} to avoid failed attempts.",
                MemoryWarning,
            )
        _runtime.free_memory()
