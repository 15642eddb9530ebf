"""Outputs of the frozen part of a network, computed once per distinct cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from sktransfer import _runtime
from sktransfer.backbones import POOLED, CachedActivation
from sktransfer.cache import FeatureCache
from sktransfer.compute import Batch, FeatureExtractor, RowPlan, Runner, equal_batches, first_rows
from sktransfer.modalities import n_rows, repeat_rows

# A row gives the same bits in any batch of at least this many rows without padding; in smaller
# ones, matrix products sum in another order.
_EXACT_ROWS = 8


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
        self.cache = cache
        self.digests = runner.cells.digests
        self._runner = runner
        self._extractor = extractor
        self._least = _EXACT_ROWS if exact else 1
        self._recipe = runner.preparer.recipe
        self._shape_of_one = extractor.backbone.shape(extractor.layer, self._recipe)
        # Where cells differ in length, shapes depend on all of them; other cells take more memory
        # when prepared, and are prepared on the way.
        self._items: dict[int, Any] | None = None
        if runner.preparer.variable_length:
            self._items = runner.prepare_all(self.usable())
        has_length = self._items is not None and self._recipe.timed
        self._is_ragged = has_length and extractor.layer != POOLED

    def size(self, rows: Sequence[int]) -> int:
        """Return the bytes of the outputs of these rows."""
        return 4 * sum(prod(self._shape(row)) for row in rows)

    def usable(self) -> list[int]:
        """Return the rows whose cells have not failed."""
        return self._runner.errors.usable(self.digests)

    def compute(self, rows: Sequence[int]) -> dict[bytes, torch.Tensor]:
        """Return the output of each distinct cell by its digest, cached ones among them."""
        groups: dict[int, dict[bytes, int]] = defaultdict(dict)  # of one length: without padding
        for digest, row in first_rows(self.digests, rows).items():
            groups[self._length(row)][digest] = row
        found: dict[bytes, torch.Tensor] = {}
        for _, first in sorted(groups.items()):
            chosen = list(first.values())
            shape = self._shape(chosen[0])
            plan = RowPlan(self.cache, self._extractor.space, list(first), prod(shape))
            plan.fill(self._computed(chosen, plan.todo))
            found.update(zip(first, torch.from_numpy(plan.rows()).unflatten(1, shape), strict=True))
        return found

    def inputs(
        self, found: Mapping[bytes, torch.Tensor], rows: Sequence[int]
    ) -> tuple[Any, CachedActivation]:
        """Return network inputs of these rows, and their activation, padded with zeros."""
        device = self._runner.device
        outputs = [found[self.digests[row] or b""] for row in rows]
        activation = pad_sequence(outputs, True) if self._is_ragged else torch.stack(outputs)
        activation = activation.to(device)
        if activation.ndim == 4:  # convolutions are faster so
            activation = activation.contiguous(memory_format=torch.channels_last)
        cached = CachedActivation(str(self._extractor.layer), activation)
        if cached.stage == POOLED:
            return None, cached
        if self._items is not None:
            items = [self._items[row] for row in rows]
            return self._runner.preparer.collate(items, device), cached
        # Networks that compute their first layers in any case do so on blank cells.
        blank = self._recipe.blank(1)
        return blank.to(device).expand(len(rows), *blank.shape[1:]), cached

    def _computed(self, rows: list[int], todo: list[int]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield positions among `rows`, and their outputs, flat."""
        position = {row: at for at, row in enumerate(rows)}
        budget = self._runner.preparer.budget(self._runner.device.type == "cpu")
        size = max(_EXACT_ROWS, budget // max(1, self._length(rows[0])))
        batches = map(self._batch, equal_batches([rows[at] for at in todo], size))
        computed = self._runner.run(self._forward, batches)
        precision = self._extractor.precision
        for done, outputs in self._runner.finite(computed, precision, are_needed=True):
            yield [position[row] for row in done], outputs

    def _forward(self, inputs: Any) -> np.ndarray:
        rows = n_rows(inputs)
        extractor, device = self._extractor, self._runner.device
        with _runtime.inference(device, extractor.precision):
            network = extractor.backbone.fast(device)
            repeated = repeat_rows(inputs, self._least)
            output = network(repeated, until=str(extractor.layer))
        if len(output) == n_rows(repeated):  # otherwise its shape is refused
            output = output[:rows]
        return output.float().flatten(1).cpu().numpy()

    def _batch(self, rows: Sequence[int]) -> Batch:
        return Batch(rows, None if self._items is None else [self._items[row] for row in rows])

    def _shape(self, row: int) -> tuple[int, ...]:
        first, *rest = self._shape_of_one
        return (self._length(row) if self._is_ragged else first, *rest)

    def _length(self, row: int) -> int:
        return self._runner.preparer.length(self._items[row]) if self._items else 1
