"""The sources of batches of one column, kept as long as the same part of its network is frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from sktransfer._randomness import Randomness
from sktransfer.backbones import POOLED
from sktransfer.modalities import Augmentation
from sktransfer.training._column_data import Split
from sktransfer.training._fine_tuned import FineTuned, cut_below
from sktransfer.training._predict_outputs import outputs_of
from sktransfer.training._reuse import source_of
from sktransfer.training._sources import ActivationSource, CellSource, Source
from sktransfer.training.objectives import Objective
from sktransfer.training.strategies import Stages


@dataclass
class ColumnSources:
    """The sources of one column for the network that is trained on it.

    Parameters
    ----------
    module : FineTuned
        The network.
    train : Split
        Rows to train on.
    randomness : Randomness
        Augmentation draws from it.
    changed : tuple of str
        Stages that differ from the backbone's.
    """

    module: FineTuned
    train: Split
    randomness: Randomness
    changed: Stages
    _kept: dict[bool, tuple[Any, Source]] = field(default_factory=dict)

    def change(self, stages: Stages) -> None:
        """Record that these stages have been trained."""
        self.changed = max(self.changed, stages, key=len)

    def of(self, split: Split, stages: Stages, objective: Objective) -> Source:
        """Return the source of batches while these stages are trained; all below them is frozen."""
        is_train = split is self.train
        if is_train or objective.augments_validation:
            augment = self._augmentation(objective)
            if augment is not None or objective.views > 1:  # nothing can be kept
                draws = partial(Randomness, 0, split.data.device)
                return CellSource(
                    split.data.runner,
                    augment,
                    objective.views,
                    split.targets_of,
                    (lambda: self.randomness) if is_train else draws,
                )
        return self._kept_source(split, stages)

    def first(self, rows: np.ndarray, stages: Stages, objective: Objective) -> Source:
        """Return the source of training rows, not augmented, before a phase."""
        augments = self._augmentation(objective) is not None
        is_kept = not augments and len(stages) < len(self.module.network.stages)
        if self.changed or is_kept or self.module.level != "row":
            return self._kept_source(self.train, stages)
        # No epoch would use the outputs at a cut; pooled features may be in the cache.
        return source_of(self.train.data, POOLED, rows.tolist())

    def _augmentation(self, objective: Objective) -> Augmentation | None:
        data = self.train.data
        return objective.augmentation(data.modality, data.backbone, data.augment)

    def _kept_source(self, split: Split, stages: Stages) -> Source:
        """Return the source of rows as they are, which keeps what it can from epoch to epoch."""
        data, level, is_train = split.data, self.module.level, split is self.train
        changed = max(self.changed, stages, key=len)
        cut = cut_below(list(self.module.network.stages), changed, level)
        freezes_changed = bool(changed) and not stages and level == "row"
        key = (cut, freezes_changed)
        if self._kept.get(is_train, (None, None))[0] != key:
            self._kept.pop(is_train, None)  # frees its memory before the next is allocated
            rows = split.rows.tolist()
            if freezes_changed:  # the trained stages can be computed once, too
                features = outputs_of(self.module, data, head=False, rows=rows)
                kept = {
                    d or b"": torch.from_numpy(x)
                    for d, x in zip(data.digests, features, strict=True)
                }
                self._kept[is_train] = key, ActivationSource(data.activations(POOLED), kept)
            else:
                self._kept[is_train] = key, source_of(data, cut, rows)
        return self._kept[is_train][1]
