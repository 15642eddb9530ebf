"""Outputs of a trained module for the cells of a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from sktransfer import _runtime
from sktransfer.compute import OutOfMemorySplitter, first_rows
from sktransfer.modalities import mask_of
from sktransfer.training._data import ColumnData
from sktransfer.training._module import FineTuned, cut_below
from sktransfer.training._samplers import in_batches
from sktransfer.training._sources import TrainingBatch

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
        if module.level == "row":
            found[positions] = outputs
        else:
            for position, output in zip(positions, outputs, strict=True):
                found[position] = output
    source = [first.get(digest, row) if digest else row for row, digest in enumerate(digests)]
    return found[source]


def _computed(
    module: FineTuned, data: ColumnData, rows: list[int], head: bool
) -> Iterator[tuple[Sequence[int], Any]]:
    source = data.recomputed(cut_below(list(module.network.stages), module.opened, module.level))
    if source is None:
        forward = partial(_forward, module, data, head)
        runner = data.runner
        yield from runner.run(forward, runner.batches(rows))
        return
    splitter = OutOfMemorySplitter()
    batches = in_batches(np.array(rows, dtype=np.int64), _ROWS) if rows else []
    for batch in source(batches):
        yield batch.rows, splitter.run(partial(_forward_batch, module, data, head), batch)


def _forward_batch(module: FineTuned, data: ColumnData, head: bool, batch: TrainingBatch) -> Any:
    return _forward(module, data, head, batch.inputs, batch.cached)


def _forward(
    module: FineTuned, data: ColumnData, head: bool, inputs: Any, cached: Any = None
) -> np.ndarray:
    with _runtime.inference(data.device, data.precision):
        outputs = module.features(inputs, cached)
        outputs = module.head(outputs) if head else outputs
    rows = outputs.float().cpu().numpy()
    mask = mask_of(inputs)
    if module.level == "row" or mask is None:
        return rows
    trimmed = np.empty(len(rows), dtype=object)
    for number, length in enumerate(mask.sum(1).tolist()):
        trimmed[number] = rows[number, :length]
    return trimmed
