"""A column of a fit: its cells, the network that computes on them, and the rows to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.backbones import POOLED
from sktransfer.cache import FeatureCache
from sktransfer.compute import Batch, FeatureExtractor, RowPlan, Runner, equal_batches
from sktransfer.modalities import Modality
from sktransfer.training._activations import Activations

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone
    from sktransfer.training.targets import Target

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
    augment : object
        The estimator's parameter of that name; None if it has none.
    """

    modality: Modality
    runner: Runner
    backbone: Backbone
    precision: str
    cache: FeatureCache
    reuse: bool | str
    augment: Any = None

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.backbone.name

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return self.runner.device

    @property
    def digests(self) -> Sequence[bytes | None]:
        """Digest of each cell."""
        return self.runner.cells.digests

    def usable_rows(self) -> list[int]:
        """Return the rows whose cells can be prepared.

        Where bad cells are left out, all cells are prepared once to find them, so that a bad row
        changes nothing: not the order of the others, nor the share of a class. Cells whose
        features are in the cache have been prepared before.
        """
        if not self.runner.errors.may_raise:
            space = self._extractor(POOLED).space
            width = self.backbone.width(recipe=self.modality.recipe(self.backbone))
            left = RowPlan(self.cache, space, self.digests, width).todo
            for _ in self.runner.prepare(map(Batch, equal_batches(left, _CHECKED_TOGETHER))):
                pass
        return self.runner.errors.usable(self.digests)

    def outlines(self, weights: np.ndarray) -> list[Any]:
        """Return what targets of parts must know of each row's cell; None if it cannot be used.

        Of a modality that outlines cells also None for a row without weight: it has no target.
        """
        rows = self.runner.errors.usable(self.digests)
        if self.modality.outlines_cells:
            cells = self.runner.cells.cells
            items = {row: self.modality.outline(cells[row]) for row in rows if weights[row]}
        else:
            items = self.runner.prepare_all(rows)
        return [items.get(row) for row in range(len(self.digests))]

    def warn(self, outcome: str) -> None:
        """Warn of cells that cannot be used, and of cells that are used in part."""
        self.runner.warn(outcome)

    def activations(self, cut: str, *, exact: bool = True) -> Activations:
        """Return the outputs of the frozen part below a cut."""
        return Activations(self._extractor(cut), self.runner, self.cache, exact)

    def resumes(self, cut: str) -> bool:
        """Return whether the network, or the head alone, can go on from the output of a layer."""
        ends = (POOLED, self.backbone.stages[-1])
        return cut in ends or self.backbone.network.resumes

    def _extractor(self, cut: str) -> FeatureExtractor:
        # Pooled features are those of the embedders, and cached for both.
        pooling = "default" if cut == POOLED else "none"
        return FeatureExtractor(
            self.modality, self.backbone, cut, pooling, self.device, self.precision
        )


@dataclass(frozen=True)
class Split:
    """The rows of a column to train on, or those to validate on.

    Attributes
    ----------
    data : ColumnData or TableData
        The column, or the columns of several towers.
    rows : ndarray of int
        Positions in it.
    target : Target or None
        What y is; None where there is no y.
    targets : Tensor, sequence or None
        Encoded targets, one entry per row of the column.
    weights : Tensor
        One weight per row of the column, with mean 1.
    """

    data: ColumnData
    rows: np.ndarray
    target: Target | None
    targets: Any
    weights: torch.Tensor

    def targets_of(self, rows: Sequence[int]) -> Any:
        """Return the targets of some rows as one tensor; None where there is no y."""
        if self.target is None:
            return None
        return self.target.batch(self.targets, rows)
