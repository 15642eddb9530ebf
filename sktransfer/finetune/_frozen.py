"""What the frozen part of a network gives for the cells of a column, computed once a cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sktransfer import _runtime
from sktransfer.backbones import POOLED, Given, ImageRecipe
from sktransfer.cache import FeatureCache
from sktransfer.extraction import (
    CPU_IMAGES,
    CPU_TOKENS,
    GPU_IMAGES,
    GPU_TOKENS,
    Extraction,
    Failures,
    Lookup,
    Portions,
    Reading,
    ahead,
    equal_batches,
)
from sktransfer.finetune._store import RowStore, Shape, size_of

# The same row gives the same bits in any batch of at least so many rows without padding; in
# smaller ones, matrix products are taken in another order.
_EXACT_ROWS = 8
# Looked up together: bounds the memory beside the store.
_WINDOW_BYTES = 64 << 20


class FrozenPart:
    """The frozen part of a network, and the cells of a column that go through it.

    Parameters
    ----------
    extraction : Extraction
        Its layer is the cut: the stage that the frozen part ends with, or "pooled".
    reading : Reading
        The cells.
    failures : Failures
        Hears of cells that cannot be prepared.
    cache : FeatureCache
        Where rows may already be, and are kept.
    exact : bool
        Whether a row must give the same bits whatever rows it is asked for with.
    """

    def __init__(
        self,
        extraction: Extraction,
        reading: Reading,
        failures: Failures,
        cache: FeatureCache,
        exact: bool = True,
    ) -> None:
        self.extraction = extraction
        self.reading = reading
        self.failures = failures
        self.cache = cache
        self._least = _EXACT_ROWS if exact else 1
        self._portions = Portions()
        self._tokens = self._tokenized()
        recipe = extraction.reader.recipe(extraction.backbone)
        self._image_size = recipe.size if isinstance(recipe, ImageRecipe) else None
        self._shape_of_one = extraction.backbone.shape(extraction.layer, self._image_size)

    def shapes(self, rows: Sequence[int]) -> list[Shape]:
        """Return the shape of what each row gives; only that of a text depends on the row."""
        first, *rest = self._shape_of_one
        if self._tokens is None or self.extraction.layer == POOLED:
            return [(first, *rest)] * len(rows)
        return [(len(self._tokens[row]), *rest) for row in rows]

    def compute(self, rows: Sequence[int], on_disk: bool = False) -> RowStore:
        """Return what these rows give, in their order; from the cache where it is there."""
        store = RowStore(self.shapes(rows), on_disk)
        for window in self.windows(rows):
            for numbers in self._alike([rows[number] for number in window]):
                places = [window[number] for number in numbers]
                self._fill(store, places, [rows[place] for place in places])
        return store

    def windows(self, rows: Sequence[int]) -> list[list[int]]:
        """Cut rows into parts that are looked up together; return the numbers of their rows."""
        windows: list[list[int]] = [[]]
        size = 0
        for number, shape in enumerate(self.shapes(rows)):
            size += size_of([shape])
            if windows[-1] and size > _WINDOW_BYTES:
                windows.append([])
                size = size_of([shape])
            windows[-1].append(number)
        return windows

    def usable(self) -> list[int]:
        """Return the rows whose cells have not failed."""
        return self.failures.usable(self.reading.digests)

    def given(self, store: RowStore, numbers: Sequence[int], rows: Sequence[int]) -> Any:
        """Return network inputs of these rows, and what the frozen part gives for them."""
        import torch

        device = self.extraction.device
        activation = torch.from_numpy(store.take(numbers)).to(device)
        if activation.ndim == 4:  # convolutions are faster so
            activation = activation.contiguous(memory_format=torch.channels_last)
        given = Given(str(self.extraction.layer), activation)
        if given.stage == POOLED:
            return None, given
        if self._tokens is not None:
            tokens = [self._tokens[row] for row in rows]
            return self.extraction.reader.inputs(tokens, self.extraction.backbone, device), given
        # A network that was not written for it runs its first layers in vain, on nothing.
        size = self._image_size or ()
        return torch.zeros((), device=device).expand(len(rows), 3, *size), given

    def _fill(self, store: RowStore, places: list[int], rows: list[int]) -> None:
        digests = [self.reading.digests[row] for row in rows]
        width = store[places[0]].size
        lookup = Lookup(self.cache, self.extraction.space, digests, width)
        lookup.fill(self._computed(rows, [rows[number] for number in lookup.todo]))
        for place, row in zip(places, lookup.rows(), strict=True):
            store[place][...] = row.reshape(store[place].shape)

    def _computed(self, rows: list[int], todo: list[int]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield numbers among `rows`, and what the network gives for them, flat."""
        number = {row: at for at, row in enumerate(rows)}
        reader, backbone = self.extraction.reader, self.extraction.backbone
        device = self.extraction.device

        def prepare(some: Sequence[int]) -> Any:
            if self._tokens is not None:
                return some, [self._tokens[row] for row in some]
            return reader.prepare(self.reading, some, backbone, self.failures)

        def forward(batch: Any) -> np.ndarray:
            with _runtime.inference(device, self.extraction.precision):
                inputs = _at_least(reader.inputs(batch, backbone, device), len(batch), self._least)
                output = backbone.fast(device)(inputs, until=str(self.extraction.layer))
            return output[: len(batch)].float().flatten(1).cpu().numpy()

        for done, batch in ahead(prepare, equal_batches(todo, self._batch_size(todo))):
            if len(done):
                yield [number[row] for row in done], self._portions.run(forward, batch)

    def _batch_size(self, rows: Sequence[int]) -> int:
        on_cpu = self.extraction.device.type == "cpu"
        size = CPU_IMAGES if on_cpu else GPU_IMAGES
        if self._tokens is not None and rows:
            budget = CPU_TOKENS if on_cpu else GPU_TOKENS
            size = max(_EXACT_ROWS, budget // max(1, len(self._tokens[rows[0]])))
        return size

    def _alike(self, rows: Sequence[int]) -> list[list[int]]:
        """Group the numbers of rows that need no padding between them."""
        if self._tokens is None:
            return [list(range(len(rows)))] if len(rows) else []
        groups: dict[int, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            groups[len(self._tokens[row])].append(number)
        return [groups[length] for length in sorted(groups)]

    def _tokenized(self) -> dict[int, list[int]] | None:
        if self.extraction.backbone.modality != "text":
            return None
        rows = self.usable()
        backbone = self.extraction.backbone
        _, tokens = self.extraction.reader.prepare(self.reading, rows, backbone, self.failures)
        return dict(zip(rows, tokens, strict=True))


def _at_least(inputs: Any, rows: int, least: int) -> Any:
    """Repeat rows until there are `least` of them."""
    if rows >= least:
        return inputs
    import torch

    chosen = torch.arange(least) % rows
    if isinstance(inputs, dict):
        return {name: tensor[chosen.to(tensor.device)] for name, tensor in inputs.items()}
    return inputs[chosen.to(inputs.device)]
