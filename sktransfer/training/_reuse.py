"""The policy of reuse: which outputs of the frozen part are kept, and where."""

from __future__ import annotations

from collections.abc import Sequence

from rich.filesize import decimal

from sktransfer._warnings import warn
from sktransfer.cache import NoCache, size_limit
from sktransfer.exceptions import ReuseWarning
from sktransfer.training._column_data import ColumnData
from sktransfer.training._sources import ActivationSource, CellSource, Source

#: Bytes kept in memory, unless the user insists. More are read from the cache in each epoch.
MEMORY = 2 << 30
# More would evict the features of everything else from the cache.
_SHARE_OF_CACHE = 4


def source_of(data: ColumnData, cut: str | None, rows: Sequence[int]) -> Source:
    """Return the source of training batches of these rows, epoch after epoch.

    Parameters
    ----------
    data : ColumnData
        The column.
    cut : str or None
        Layer that the frozen part ends with; None if nothing is frozen.
    rows : sequence of int
        All rows that will be asked for.
    """
    if cut is None or not data.resumes(cut):
        return CellSource(data.runner)
    activations = data.activations(cut)
    size = activations.size(rows)
    if not data.reuse or size > size_limit() // _SHARE_OF_CACHE:
        activations.cache = NoCache()
    if data.reuse and (size <= MEMORY or data.reuse != "auto"):
        return ActivationSource(activations, activations.compute(rows))
    if data.reuse and activations.cache.folder is None:
        warn(
            f"The outputs of {data.backbone.name!r} at {cut!r} for {len(rows):,} rows take "
            f"{decimal(size)}, more than is kept in memory or in the cache, so they are computed "
            "again in each epoch. Open more stages, use smaller images, raise "
            "SKTRANSFER_CACHE_LIMIT, or insist with reuse_activations=True.",
            ReuseWarning,
        )
    return ActivationSource(activations)
