"""Features of several layers of a frozen network, from one pass."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from sktransfer import _runtime
from sktransfer.cache import FeatureCache
from sktransfer.compute._extractor import FeatureExtractor
from sktransfer.compute._plan import RowPlan


@dataclass(frozen=True)
class LayersExtractor(FeatureExtractor):
    """Features of several layers, computed by torch.

    Parameters
    ----------
    layers : sequence of str
        From below, and at last "pooled"; `layer` is not used.

    Attributes
    ----------
    times : list of list of float
        Of each batch: when it began, and when the features of each layer were there, in seconds.
    """

    layers: Sequence[str] = ()
    times: list[list[float]] = field(init=False, default_factory=list, compare=False)

    def seconds(self) -> np.ndarray:
        """Return the time from the first batch to the last, as far as each layer needs it.

        A layer needs the share of the network's time that it and the layers below it take.
        """
        times = np.array(self.times)
        own = np.diff(times, axis=1).sum(axis=0)
        resumes = self.backbone.network.resumes
        needed = np.cumsum(own) if resumes else np.maximum.accumulate(own)
        return (times.max() - times.min()) * needed / own.sum()

    def plan(self, cache: FeatureCache, digests: Sequence[bytes | None]) -> LayersPlan:
        """Return which rows of a column are in a cache, and which are to be computed."""
        each = [
            FeatureExtractor(
                self.modality, self.backbone, layer, self.pooling, self.device, self.precision
            )
            for layer in self.layers
        ]
        return LayersPlan(cache, [e.space for e in each], digests, [e.width for e in each])

    def features(self, inputs: Any) -> np.ndarray:
        """Return the vectors of all layers one after another, one row per cell, float32."""
        parts, times = [], [time.perf_counter()]
        with _runtime.inference(self.device, self.precision):
            for part in self.backbone.extract_layers(inputs, self.layers, pooling=self.pooling):
                parts.append(part.cpu().numpy().copy())  # before the next stage changes it
                times.append(time.perf_counter())
        self.times.append(times)  # one step of the interpreter: several threads may come here
        return np.concatenate(parts, axis=1)


class LayersPlan(RowPlan):
    """A plan of rows that hold several layers, which the cache keeps as an embedder's own.

    Parameters
    ----------
    cache : FeatureCache
        Where the rows of layers may already be.
    spaces : sequence of bytes
        Key of what computes each layer.
    digests : sequence of bytes or None
        Digest of each cell; None for a cell that is not to be computed.
    widths : sequence of int
        Length of each layer's rows.
    """

    def __init__(
        self,
        cache: FeatureCache,
        spaces: Sequence[bytes],
        digests: Sequence[bytes | None],
        widths: Sequence[int],
    ) -> None:
        ends = [0, *accumulate(widths)]
        self._parts = [slice(start, end) for start, end in pairwise(ends)]
        self._spaces = spaces
        super().__init__(cache, b"", digests, ends[-1])

    def layers(self) -> list[np.ndarray]:
        """Return the rows of each layer."""
        rows = self.rows()
        return [rows[:, part] for part in self._parts]

    def _read(self, digests: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        rows = np.empty((len(digests), self._width), dtype=np.float32)
        found = np.ones(len(digests), dtype=bool)
        for space, part in zip(self._spaces, self._parts, strict=True):
            rows[:, part], there = self._cache.read(space, digests, part.stop - part.start)
            found &= there
        rows[~found] = np.nan
        return rows, found

    def _write(self, digests: Sequence[bytes], rows: np.ndarray) -> None:
        for space, part in zip(self._spaces, self._parts, strict=True):
            self._cache.write(space, digests, np.ascontiguousarray(rows[:, part]))
