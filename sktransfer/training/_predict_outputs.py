"""Outputs of a trained module for the cells of a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer.compute import OutOfMemorySplitter, equal_batches, first_rows
from sktransfer.modalities import mask_of
from sktransfer.training._column_data import ColumnData
from sktransfer.training._fine_tuned import FineTuned, cut_below
from sktransfer.training._sources import ActivationSource

_ROWS = 64


def outputs_of(
    module: FineTuned, data: ColumnData, *, head: bool, rows: Sequence[int] | None = None
) -> np.ndarray:
    """Return outputs of the head, or the features below it.

    Parameters
    ----------
    module : FineTuned
        Is put into eval mode.
    data : ColumnData
        The column.
    head : bool
        Whether rows go through the head.
    rows : sequence of int, optional
        The rows wanted; None for all.

    Returns
    -------
    ndarray of shape (n, n_outputs) or (n, d), float32
        NaN where a cell cannot be used or is not wanted. Below the level of rows, an object
        array of (n,) such arrays, one per cell, None where there is none. Equal cells are
        computed once.
    """
    module.eval()
    digests, width = data.digests, module.head.n_outputs if head else module.head.n_features
    first = first_rows(digests, range(len(digests)) if rows is None else rows)
    found: np.ndarray = np.full((len(digests), width), np.nan, dtype=np.float32)
    if module.level != "row":
        found = np.full(len(digests), None, dtype=object)
    for positions, outputs in _computed(module, data, list(first.values()), head):
        found[positions] = outputs
    source = [first.get(digest, row) if digest else row for row, digest in enumerate(digests)]
    return found[source]


def _computed(
    module: FineTuned, data: ColumnData, rows: list[int], head: bool
) -> Iterator[tuple[Sequence[int], np.ndarray]]:
    def forward(inputs: Any, cached: Any = None) -> np.ndarray:
        with _runtime.inference(data.device, data.precision):
            outputs = module.features(inputs, cached)
            outputs = module.outputs(outputs, inputs) if head else module.below_head(outputs)
        found = outputs.float().cpu().numpy()
        return found if module.level == "row" else _trimmed(found, mask_of(inputs))

    cut = cut_below(list(module.network.stages), module.opened, module.level)
    if cut is None or not data.resumes(cut):
        yield from data.runner.run(forward, data.runner.batches(rows))
        return
    source = ActivationSource(data.activations(cut, exact=False))
    splitter = OutOfMemorySplitter()
    for batch in source(equal_batches(rows, _ROWS)):
        yield batch.rows, splitter.run(lambda part: forward(part.inputs, part.cached), batch)


def _trimmed(rows: np.ndarray, mask: torch.Tensor | None) -> np.ndarray:
    """Return an object array of rows without their padding."""
    lengths = [None] * len(rows) if mask is None else mask.sum(1).tolist()
    trimmed = np.empty(len(rows), dtype=object)
    for number, length in enumerate(lengths):
        trimmed[number] = rows[number, :length]
    return trimmed
