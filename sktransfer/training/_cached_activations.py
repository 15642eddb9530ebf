"""Outputs of the frozen part of a network, computed once per distinct cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer.backbones import POOLED, CachedActivation
from sktransfer.cache import FeatureCache
from sktransfer.compute import Batch, FeatureExtractor, RowPlan, Runner, equal_batches
from sktransfer.modalities import n_rows, repeat_rows
from sktransfer.training._row_store import RowStore, Shape, size_of

# A row gives the same bits in any batch of at least this many rows without padding; in smaller
# ones, matrix products sum in another order.
_EXACT_ROWS = 8
#: Bytes of rows that are looked up together: bounds the memory beside the store.
WINDOW_BYTES = 64 << 20


class Activations:
    """The outputs of a frozen layer for the cells of a column.

    Parameters
    ----------
    extractor : FeatureExtractor
        Its layer is the cut: the stage that the frozen part ends with, or "pooled".
    runner : Runner
        Prepares the cells.
    cache : FeatureCache
        Where rows may already be, and are stored.
    exact : bool
        Whether a row must give the same bits whatever rows it is computed with.
    """

    def __init__(
        self, extractor: FeatureExtractor, runner: Runner, cache: FeatureCache, exact: bool = True
    ) -> None:
        self.runner = runner
        self.cache = cache
        self._extractor = extractor
        self._least = _EXACT_ROWS if exact else 1
        self._recipe = runner.preparer.recipe
        self._shape_of_one = extractor.backbone.shape(extractor.layer, self._recipe)
        # Where cells differ in length, shapes depend on all of them; other cells take more memory
        # when prepared, and are prepared on the way.
        self._items: dict[int, Any] | None = None
        if runner.preparer.variable_length:
            self._items = runner.prepare_all(self.usable())

    def shapes(self, rows: Sequence[int]) -> list[Shape]:
        """Return the shape of each row's output."""
        first, *rest = self._shape_of_one
        if self._items is None or self._extractor.layer == POOLED:
            return [(first, *rest)] * len(rows)
        return [(self._length(row), *rest) for row in rows]

    def compute(self, rows: Sequence[int], on_disk: bool = False) -> RowStore:
        """Return the outputs of these rows, in their order, cached ones among them."""
        store = RowStore(self.shapes(rows), on_disk)
        for numbers in self._together(rows):
            self._fill(store, numbers, rows)
        return store

    def usable(self) -> list[int]:
        """Return the rows whose cells have not failed."""
        return self.runner.errors.usable(self.runner.cells.digests)

    def inputs(
        self, store: RowStore, numbers: Sequence[int], rows: Sequence[int]
    ) -> tuple[Any, CachedActivation]:
        """Return network inputs of these rows, and their cached activation."""
        device = self.runner.device
        activation = torch.from_numpy(store.take(numbers)).to(device)
        if activation.ndim == 4:  # convolutions are faster so
            activation = activation.contiguous(memory_format=torch.channels_last)
        cached = CachedActivation(str(self._extractor.layer), activation)
        if cached.stage == POOLED:
            return None, cached
        if self._items is not None:
            items = [self._items[row] for row in rows]
            return self.runner.preparer.collate(items, device), cached
        # Networks that compute their first layers in any case do so on blank cells.
        blank = self._recipe.blank(1)
        return blank.to(device).expand(len(rows), *blank.shape[1:]), cached

    def _fill(self, store: RowStore, places: list[int], rows: Sequence[int]) -> None:
        chosen = [rows[place] for place in places]
        digests = [self.runner.cells.digests[row] for row in chosen]
        plan = RowPlan(self.cache, self._extractor.space, digests, store[places[0]].size)
        plan.fill(self._computed(chosen, [chosen[number] for number in plan.todo]))
        for place, row in zip(places, plan.rows(), strict=True):
            store[place][...] = row.reshape(store[place].shape)

    def _computed(self, rows: list[int], todo: list[int]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield positions among `rows`, and their outputs, flat."""
        position = {row: at for at, row in enumerate(rows)}
        batches = (self._batch(some) for some in equal_batches(todo, self._batch_size(todo)))
        for done, outputs in self.runner.run(self._forward, batches):
            yield [position[row] for row in done], outputs

    def _forward(self, inputs: Any) -> np.ndarray:
        rows = n_rows(inputs)
        extractor, device = self._extractor, self.runner.device
        with _runtime.inference(device, extractor.precision):
            network = extractor.backbone.fast(device)
            output = network(repeat_rows(inputs, self._least), until=str(extractor.layer))
        return output[:rows].float().flatten(1).cpu().numpy()

    def _batch(self, rows: Sequence[int]) -> Batch:
        return Batch(rows, None if self._items is None else [self._items[row] for row in rows])

    def _batch_size(self, rows: Sequence[int]) -> int:
        budget = self.runner.preparer.budget(self.runner.device.type == "cpu")
        longest = max(map(self._length, rows), default=1)
        return max(_EXACT_ROWS, budget // max(1, longest))

    def _length(self, row: int) -> int:
        return self.runner.preparer.length(self._items[row]) if self._items else 1

    def _together(self, rows: Sequence[int]) -> list[list[int]]:
        """Group the numbers of rows that are looked up together and need no padding."""
        windows = np.cumsum([size_of([shape]) for shape in self.shapes(rows)]) // WINDOW_BYTES
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number, (row, window) in enumerate(zip(rows, windows.tolist(), strict=True)):
            groups[window, self._length(row)].append(number)
        return [groups[key] for key in sorted(groups)]
