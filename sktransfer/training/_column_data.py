"""A column of a fit: its cells, and the network that computes on them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal

from sktransfer._warnings import warn
from sktransfer.backbones import POOLED
from sktransfer.cache import FeatureCache, NoCache, size_limit
from sktransfer.compute import CHUNK, Batch, FeatureExtractor, Runner, equal_batches
from sktransfer.exceptions import ReuseWarning
from sktransfer.modalities import Modality
from sktransfer.training._cached_activations import Activations
from sktransfer.training._row_store import MEMORY, NoRoomError, disk_room, size_of
from sktransfer.training._sources import CellSource, RecomputedSource, Source, StoredSource

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone

_CHECKED_TOGETHER = 64


@dataclass(frozen=True)
class ColumnData:
    """The cells of a column, and the network that computes on them.

    Parameters
    ----------
    modality : Modality
        How the cells are read.
    runner : Runner
        Prepares the cells.
    backbone : Backbone
        Computes the frozen part.
    precision : {"float32", "bfloat16"}
        Precision of forward passes.
    cache : FeatureCache
        Where outputs of the frozen part are stored for other fits.
    reuse : bool or "auto"
        Whether outputs of the frozen part are kept from epoch to epoch; "auto" if there is room.
    """

    modality: Modality
    runner: Runner
    backbone: Backbone
    precision: str
    cache: FeatureCache
    reuse: bool | str

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return self.runner.device

    @property
    def digests(self) -> Sequence[bytes | None]:
        """Digest of each cell."""
        return self.runner.cells.digests

    def source(self, cut: str | None, rows: Sequence[int]) -> Source:
        """Return the source of training batches of these rows, epoch after epoch.

        Parameters
        ----------
        cut : str or None
            Layer that the frozen part ends with; None if nothing is frozen.
        rows : sequence of int
            All rows that will be asked for.
        """
        if cut is None or not self._resumes(cut):
            return CellSource(self.runner)
        if not self.reuse:
            return RecomputedSource(self.activations(cut, NoCache()))
        activations = self.activations(cut, self.cache)
        size = size_of(activations.shapes(rows))
        if size > size_limit() // 4:  # it would evict everything else from the cache
            activations.cache = NoCache()
        if size <= MEMORY:
            return StoredSource(activations, rows)
        advice = "or insist with reuse_activations=True"
        if self.reuse != "auto" or size <= disk_room():
            try:
                return StoredSource(activations, rows, on_disk=True)
            except NoRoomError:
                advice = f"or make room in {tempfile.gettempdir()}"
        warn(
            f"The outputs of {self.backbone.name!r} at {cut!r} for {len(rows):,} rows take "
            f"{decimal(size)}, more than is kept in memory or on disk, so they are computed "
            f"again in each epoch. Open more stages, use smaller images, {advice}.",
            ReuseWarning,
        )
        activations.cache = NoCache()
        return RecomputedSource(activations)

    def usable_rows(self) -> list[int]:
        """Return the rows whose cells can be prepared.

        Where bad cells are left out, all cells are prepared once to find them, so that a bad row
        changes nothing: not the order of the others, nor the share of a class. Cells whose
        features are in the cache have been prepared before.
        """
        rows = [row for row, digest in enumerate(self.digests) if digest is not None]
        if not self.runner.errors.may_raise:
            batches = map(Batch, equal_batches(self._not_cached(rows), _CHECKED_TOGETHER))
            for _ in self.runner.prepare(batches):
                pass
        return self.runner.errors.usable(self.digests)

    def prepared(self) -> list[Any]:
        """Return the prepared cell of each row, None where it cannot be used."""
        items = self.runner.prepare_all(self.runner.errors.usable(self.digests))
        return [items.get(row) for row in range(len(self.digests))]

    def recomputed(self, cut: str | None) -> RecomputedSource | None:
        """Return the source of rows that are needed once; None if they pass the whole network."""
        if cut is None or not self._resumes(cut):
            return None
        return RecomputedSource(self.activations(cut, self.cache, exact=False))

    def activations(self, cut: str, cache: FeatureCache, exact: bool = True) -> Activations:
        """Return the outputs of the frozen part below a cut."""
        return Activations(self._extractor(cut), self.runner, cache, exact)

    def _not_cached(self, rows: list[int]) -> list[int]:
        space = self._extractor(POOLED).space
        width = self.backbone.width(recipe=self.modality.recipe(self.backbone))
        left: list[int] = []
        for some in equal_batches(rows, CHUNK):
            _, found = self.cache.read(space, [self.digests[row] or b"" for row in some], width)
            left += [row for row, is_there in zip(some, found, strict=True) if not is_there]
        return left

    def _extractor(self, cut: str) -> FeatureExtractor:
        # Pooled features are those of the embedders, and cached for both.
        pooling = "default" if cut == POOLED else "none"
        return FeatureExtractor(
            self.modality, self.backbone, cut, pooling, self.device, self.precision
        )

    def _resumes(self, cut: str) -> bool:
        return cut == POOLED or self.backbone.network.resumes
