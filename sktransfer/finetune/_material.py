"""A column of cells, ready to be streamed into whatever part of a network is trained."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sktransfer.backbones import POOLED
from sktransfer.cache import FeatureCache, NoCache, format_size, size_limit
from sktransfer.exceptions import ReuseWarning
from sktransfer.extraction import (
    ROWS_TOGETHER,
    Extraction,
    Failures,
    Reader,
    Reading,
    equal_batches,
)
from sktransfer.finetune._frozen import FrozenPart
from sktransfer.finetune._store import MEMORY, NoRoomError, disk_room, size_of
from sktransfer.finetune._stream import PassingRows, StoredRows, Stream, WholeRows

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone


_CHECKED_TOGETHER = 64


@dataclass(frozen=True)
class Material:
    """The cells of a column, and the network that they are for.

    Parameters
    ----------
    reader : Reader
        Prepares cells.
    reading : Reading
        The cells.
    failures : Failures
        Hears of those that cannot be prepared.
    backbone : Backbone
        Its frozen part is computed here.
    device : torch.device
        Where.
    precision : {"float32", "bfloat16"}
        How precisely.
    cache : FeatureCache
        Where what the frozen part gives is kept beyond this fit.
    reuse : bool or "auto"
        Whether what the frozen part gives is kept from epoch to epoch; "auto" if there is room.
    """

    reader: Reader
    reading: Reading
    failures: Failures
    backbone: Backbone
    device: torch.device
    precision: str
    cache: FeatureCache
    reuse: bool | str

    def stream(
        self,
        cut: str | None,
        rows: Sequence[int],
        *,
        change: Callable[[Any], Any] | None = None,
    ) -> Stream:
        """Return how these rows come to the network above a cut, epoch after epoch.

        Parameters
        ----------
        cut : str or None
            What the frozen part ends with; None if there is none.
        rows : sequence of int
            Every row that will be asked for.
        change : callable, optional
            What is done to prepared cells in each epoch anew, so that nothing can be kept.
        """
        if change is not None or not self._resumes(cut):
            extraction = self._extraction(POOLED)
            return WholeRows(extraction, self.reading, self.failures, change)
        assert cut is not None
        if self.reuse is False:
            return PassingRows(self.frozen(cut, NoCache()))
        frozen = self.frozen(cut, self.cache)
        size = size_of(frozen.shapes(rows))
        if size > size_limit() // 4:  # it would drive everything else out of the cache
            frozen.cache = NoCache()
        if size <= MEMORY:
            return StoredRows(frozen, rows)
        advice = "or insist with reuse_activations=True"
        if self.reuse is True or size <= disk_room():
            try:
                return StoredRows(frozen, rows, on_disk=True)
            except NoRoomError:
                advice = f"or make room in {tempfile.gettempdir()}"
        warnings.warn(
            f"What {self.backbone.name!r} gives at {cut!r} for {len(rows):,} rows is "
            f"{format_size(size)}, more than is kept in memory or on disk, so it is computed "
            f"in each epoch anew. Open more stages, take smaller images, {advice}.",
            ReuseWarning,
            stacklevel=2,
        )
        frozen.cache = NoCache()
        return PassingRows(frozen)

    def usable_rows(self) -> list[int]:
        """Return the rows to train on: those whose cells can be prepared.

        Where bad cells are to be left out, all are prepared once to find them, so that such a
        row changes nothing: not the order of the others, and no share of a class. Cells of which
        the cache has the features have been prepared before.
        """
        digests = self.reading.digests
        rows = [row for row, digest in enumerate(digests) if digest is not None]
        if not self.failures.may_raise:
            for some in equal_batches(self._not_embedded(rows), _CHECKED_TOGETHER):
                self.reader.prepare(self.reading, some, self.backbone, self.failures)
        return self.failures.usable(digests)

    def _not_embedded(self, rows: list[int]) -> list[int]:
        digests, space = self.reading.digests, self._extraction(POOLED).space
        width = self.reader.width(self.backbone, POOLED, "default")
        left: list[int] = []
        for some in equal_batches(rows, ROWS_TOGETHER):
            _, found = self.cache.read(space, [digests[row] or b"" for row in some], width)
            left += [row for row, is_there in zip(some, found, strict=True) if not is_there]
        return left

    def passing(self, cut: str | None) -> PassingRows | None:
        """Return how rows come to the network once, or None if they pass it as a whole."""
        if not self._resumes(cut):
            return None
        assert cut is not None
        return PassingRows(self.frozen(cut, self.cache, exact=False))

    def frozen(self, cut: str, cache: FeatureCache, exact: bool = True) -> FrozenPart:
        """Return the frozen part below a cut."""
        return FrozenPart(self._extraction(cut), self.reading, self.failures, cache, exact)

    def _extraction(self, cut: str) -> Extraction:
        # Pooled features are those of the embedders, and the cache has them for both.
        pooling = "default" if cut == POOLED else "none"
        return Extraction(self.reader, self.backbone, cut, pooling, self.device, self.precision)

    def _resumes(self, cut: str | None) -> bool:
        return cut is not None and (cut == POOLED or self.backbone.network.resumes)
