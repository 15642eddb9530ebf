"""Cells of several chunks, whose output is the mean over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.modalities._inputs import joined
from sktransfer.modalities._modality import Forward, Preparer

if TYPE_CHECKING:
    import torch


class Chunked(Preparer):
    """Mixin of preparers whose prepared cells are lists of chunks."""

    def apply(self, forward: Forward, items: Sequence[Any], device: torch.device) -> np.ndarray:
        """Return the mean of a function over the chunks of each cell."""
        chunks = [chunk for item in items for chunk in item]
        outputs = [
            super(Chunked, self).apply(forward, [chunks[i] for i in part], device)
            for part in self._together(chunks, device)
        ]
        counts = np.array([len(item) for item in items])
        sums = np.add.reduceat(joined(outputs), np.cumsum(counts) - counts, axis=0)
        return sums / counts[:, np.newaxis].astype(np.float32)

    def _together(self, chunks: Sequence[Any], device: torch.device) -> list[range]:
        longest = max(super(Chunked, self).length(chunk) for chunk in chunks)
        size = max(1, self.budget(device.type == "cpu") // longest)
        starts = range(0, len(chunks), size)
        return [range(start, min(start + size, len(chunks))) for start in starts]

    def length(self, item: Any) -> int:
        """Return the length of all chunks."""
        return sum(map(super().length, item))
