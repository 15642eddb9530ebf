"""One training, from the first phase to the last."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer._warnings import warn
from sktransfer.backbones import POOLED
from sktransfer.exceptions import BackboneError, StoppedWarning
from sktransfer.modalities import Augmentation, mask_of
from sktransfer.training._fine_tuned import cut_below
from sktransfer.training._loop import Loop
from sktransfer.training._phases import Phase
from sktransfer.training._predict_outputs import outputs_of
from sktransfer.training._samplers import Sampler, in_batches
from sktransfer.training._sources import CellSource, FeatureSource, Source
from sktransfer.training._split import Split
from sktransfer.training._training_state import TrainingState
from sktransfer.training.strategies import Stages

# The head is standardized on at most this number of rows.
_STANDARDIZED_ON = 256


class Training(TrainingState):
    """Trains a module by the parameters of an estimator, phase by phase."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # Stages that differ from the backbone's already.
        self.changed: Stages = self.module.opened if self.earlier else ()
        self._sources: dict[Any, Source] = {}

    def run(self) -> None:
        """Train; on an interrupt, keep the finished epochs."""
        start_head = not self.earlier
        monitor = self.monitor
        try:
            for phase in self.phases:
                if start_head and phase.objective.uses_head:
                    self._start_head(phase)
                    start_head = False
                self._run_phase(phase)
        except KeyboardInterrupt:
            done = len(monitor.history)
            if not done or (start_head and any(p.objective.uses_head for p in self.phases)):
                raise
            self.module.restore(monitor.last)
            warn(
                f"The fit was interrupted; the estimator is fitted with the {done} of "
                f"{monitor.expected} epochs that were done. With warm_start=True, fit continues.",
                StoppedWarning,
            )
        if self.params.early_stopping and monitor.best:
            self.module.restore(monitor.best)
        self.processes.align(self.module)
        self.module.open(self.module.opened)
        self.module.eval()

    def _run_phase(self, phase: Phase) -> None:
        if self.monitor.is_over:
            return
        self.monitor.phase_is_over = False
        loop = Loop(self, phase)
        try:
            for stages, run in groupby(phase.stages):
                self._run_epochs(loop, phase, stages, len(list(run)))
                if self.monitor.phase_is_over:
                    return
        finally:
            loop.end()

    def _run_epochs(self, loop: Loop, phase: Phase, stages: Stages, epochs: int) -> None:
        self.module.open(stages)
        size, objective = self.params.batch_size, phase.objective
        source = self._source(self.train, stages, self.augment, objective.views)
        train = objective.sampler(source, self.train, size, self.random)
        valid = None
        if self.valid and objective.uses_head:
            valid = Sampler(self._source(self.valid, stages), self.valid, size)
        loop.run(train, valid, epochs)
        self.changed = max(self.changed, stages, key=len)

    def _source(
        self, split: Split, stages: Stages, augment: Augmentation | None = None, views: int = 1
    ) -> Source:
        """Return the source of batches while these stages are trained; all below them is frozen."""
        if augment is not None or views > 1:  # nothing can be kept from epoch to epoch
            return CellSource(split.data.runner, augment, views, split.targets_of)
        changed = max(self.changed, stages, key=len)
        cut = cut_below(list(self.module.network.stages), changed, self.module.level)
        of_features = bool(self.changed) and not stages and self.module.level == "row"
        key = (split is self.train, cut, of_features)
        if key not in self._sources:
            for other in [k for k in self._sources if k[0] == key[0]]:
                del self._sources[other]  # frees its memory before the next is allocated
            self._sources[key] = (
                self._features(split)
                if of_features
                else split.data.source(cut, split.rows.tolist())
            )
        return self._sources[key]

    def _features(self, split: Split) -> Source:
        """Return the features of stages that have been trained and are frozen now."""
        found = outputs_of(self.module, split.data, head=False, rows=split.rows.tolist())
        return FeatureSource(torch.from_numpy(found).to(split.data.device))

    def _start_head(self, phase: Phase) -> None:
        """Set mean and deviation of the head from the features when the phase begins."""
        data, rows = self.train.data, self.train.rows
        if self.train.target is None:
            return
        if len(rows) > _STANDARDIZED_ON:
            rows = np.sort(self.random.permutation(rows)[:_STANDARDIZED_ON])
        self.module.eval()
        with _runtime.inference(data.device, data.precision):
            parts = [
                self._flat_features(batch)
                for batch in self._first_source(rows, phase.stages[0])(in_batches(rows, 32))
            ]
        features = torch.cat(parts).clone()
        if not features.isfinite().all():
            raise BackboneError(
                f"{data.backbone.name!r} gives features that are not finite before anything is "
                "trained. See whether an embedder of it gives finite ones with another precision."
            )
        train = self.train.rows.tolist()
        bias = self.train.target.bias(self.train.targets_of(train), self.train.weights[train])
        self.module.head.start(features, bias)

    def _flat_features(self, batch: Any) -> torch.Tensor:
        features = self.module.features(batch.inputs, batch.cached)
        mask = mask_of(batch.inputs)
        if self.module.level != "row" and mask is not None:
            return features[mask.bool()]
        return features.flatten(0, -2)

    def _first_source(self, rows: np.ndarray, stages: Stages) -> Source:
        """Return the source of these rows before these stages are trained."""
        is_kept = self.augment is None and len(stages) < len(self.module.network.stages)
        if self.changed or is_kept or self.module.level != "row":
            return self._source(self.train, stages)
        # No epoch would use the outputs at a cut; pooled features may be in the cache.
        return self.train.data.source(POOLED, rows.tolist())
