"""What a trained module gives for the cells of a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sktransfer import _runtime
from sktransfer.adapt import FineTuned, cut_below
from sktransfer.extraction import Batching, Portions, first_rows
from sktransfer.finetune._batching import in_batches
from sktransfer.finetune._material import Material
from sktransfer.finetune._stream import Rows

_ROWS = 64


def outputs_of(
    module: FineTuned,
    material: Material,
    width: int,
    *,
    head: bool,
    rows: Sequence[int] | None = None,
) -> np.ndarray:
    """Return outputs of the head, or the features before it.

    Parameters
    ----------
    module : FineTuned
        Is put into eval mode.
    material : Material
        The column.
    width : int
        Of a row.
    head : bool
        Whether rows go through the head.
    rows : sequence of int, optional
        Those that are wanted; None for all.

    Returns
    -------
    ndarray of shape (n, width), float32
        NaN where a cell cannot be used or is not wanted; one that is there twice is computed once.
    """
    module.eval()
    digests = material.reading.digests
    first = first_rows(digests, range(len(digests)) if rows is None else rows)
    found = np.full((len(digests), width), np.nan, dtype=np.float32)

    def compute(batch: Rows) -> np.ndarray:
        with _runtime.inference(material.device, material.precision):
            outputs = module.features(batch.inputs, batch.given)
            outputs = module.head(outputs) if head else outputs
        return outputs.float().cpu().numpy()

    portions = Portions(size=len)
    for batch in _stream(module, material, list(first.values())):
        found[batch.positions] = portions.run(compute, batch)
    source = [first.get(digest, row) if digest else row for row, digest in enumerate(digests)]
    return found[source]


def _stream(module: FineTuned, material: Material, rows: list[int]) -> Iterator[Rows]:
    stream = material.passing(cut_below(list(module.network.stages), module.opened))
    if stream is not None:
        yield from stream(in_batches(np.array(rows, dtype=np.int64), _ROWS) if rows else [])
        return
    reader, device = material.reader, material.device
    how = (material.backbone, material.failures, Batching(on_cpu=device.type == "cpu"))
    for positions, batch in reader.batches(material.reading, rows, *how):
        yield Rows(list(positions), reader.inputs(batch, material.backbone, device))
