"""Cells of several chunks, whose output is the mean over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import gen_batches

from sktransfer.modalities._inputs import joined
from sktransfer.modalities._modality import Forward, Preparer

if TYPE_CHECKING:
    import torch


class Chunked(Preparer):
    """Mixin of preparers whose prepared cells are lists of chunks."""

    def apply(self, forward: Forward, items: Sequence[Any], device: torch.device) -> np.ndarray:
        """Return the mean of a function over the chunks of each cell."""
        chunks = [chunk for item in items for chunk in item]
        longest = max(super(Chunked, self).length(chunk) for chunk in chunks)
        together = max(1, self.budget(device.type == "cpu") // longest)
        outputs = [
            super(Chunked, self).apply(forward, chunks[part], device)
            for part in gen_batches(len(chunks), together)
        ]
        counts = np.array([len(item) for item in items])
        sums = np.add.reduceat(joined(outputs), np.cumsum(counts) - counts, axis=0)
        return sums / counts[:, np.newaxis].astype(np.float32)

    def length(self, item: Any) -> int:
        """Return the length of all chunks."""
        return sum(map(super().length, item))
