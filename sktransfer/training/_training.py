"""One training: its phases, its settings, and its data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer._randomness import Randomness
from sktransfer.backbones import POOLED
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import Augmentation, mask_of
from sktransfer.training._callbacks import own_callbacks
from sktransfer.training._column_data import Split
from sktransfer.training._fine_tuned import FineTuned, cut_below
from sktransfer.training._monitor import Monitor
from sktransfer.training._predict_outputs import outputs_of
from sktransfer.training._processes import processes
from sktransfer.training._reuse import source_of
from sktransfer.training._samplers import in_batches
from sktransfer.training._sources import ActivationSource, CellSource, Source
from sktransfer.training.objectives import Objective
from sktransfer.training.strategies import Stages

# The head is standardized on at most this number of rows.
_STANDARDIZED_ON = 256


@dataclass(frozen=True)
class Phase:
    """Epochs with one objective, optimizer and schedule.

    Attributes
    ----------
    name : str
        Name in `history_`.
    objective : Objective
        What is minimized.
    stages : list of tuple of str
        The stages trained in each epoch.
    """

    name: str
    objective: Objective
    stages: list[Stages]


@dataclass
class Training:
    """The module, the rows and the settings of a training, with its monitor and randomness.

    Parameters
    ----------
    params : estimator
        Its parameters are read, nothing else.
    module : FineTuned
        Is trained in place.
    train : Split
        Rows to train on.
    valid : Split, optional
        Rows to validate on.
    random : RandomState
        Draws the order of rows; all other randomness derives from it.
    phases : list of Phase
        In order.
    earlier : list of dict
        Records of the fits that this one continues; empty for a new fit.
    """

    params: Any
    module: FineTuned
    train: Split
    valid: Split | None
    random: np.random.RandomState
    phases: list[Phase]
    earlier: list[dict[str, Any]]

    def __post_init__(self) -> None:
        self.processes = processes()
        self.processes.check([self.train, self.valid], self.random)
        self.callbacks = own_callbacks(self.params.callbacks)
        seed = self.random.randint(2**31) + self.processes.number
        self.randomness = Randomness(seed, self.train.data.device)
        self.monitor = Monitor(
            self.train.target,
            expected=sum(len(phase.stages) for phase in self.phases),
            patience=self.params.n_iter_no_change if self.params.early_stopping else None,
            earlier=self.earlier,
        )
        # Stages that differ from the backbone's already.
        self.changed: Stages = self.module.opened if self.earlier else ()
        self._sources: dict[bool, tuple[Any, Source]] = {}

    def source(self, split: Split, stages: Stages, objective: Objective) -> Source:
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

    def _kept_source(self, split: Split, stages: Stages) -> Source:
        """Return the source of rows as they are, which keeps what it can from epoch to epoch."""
        data, level, is_train = split.data, self.module.level, split is self.train
        changed = max(self.changed, stages, key=len)
        cut = cut_below(list(self.module.network.stages), changed, level)
        freezes_changed = bool(changed) and not stages and level == "row"
        key = (cut, freezes_changed)
        if self._sources.get(is_train, (None, None))[0] != key:
            self._sources.pop(is_train, None)  # frees its memory before the next is allocated
            rows = split.rows.tolist()
            if freezes_changed:  # the trained stages can be computed once, too
                features = outputs_of(self.module, data, head=False, rows=rows)
                kept = {
                    d or b"": torch.from_numpy(x)
                    for d, x in zip(data.digests, features, strict=True)
                }
                self._sources[is_train] = key, ActivationSource(data.activations(POOLED), kept)
            else:
                self._sources[is_train] = key, source_of(data, cut, rows)
        return self._sources[is_train][1]

    def start_head(self, phase: Phase) -> None:
        """Set what the head takes from the training rows when the phase begins.

        Of a supervised head, that is the mean and deviation of features.
        """
        data, rows = self.train.data, self.train.rows
        if self.train.target is None:
            phase.objective.start(self.module.head, self.train)
            return
        if len(rows) > _STANDARDIZED_ON:
            rows = np.sort(self.random.permutation(rows)[:_STANDARDIZED_ON])
        self.module.eval()
        source = self._first_source(rows, phase)
        with _runtime.inference(data.device, data.precision):
            parts = [self._flat_features(batch) for batch in source(in_batches(rows, 32))]
        features = torch.cat(parts).clone()
        if not features.isfinite().all():
            raise BackboneError(
                f"{data.backbone.name!r} gives features that are not finite before anything is "
                "trained. An embedder with the same backbone and precision names the row."
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

    def _augmentation(self, objective: Objective) -> Augmentation | None:
        modality = self.params._modality()
        return objective.augmentation(modality, self.train.data.backbone, self.params.augment)

    def _first_source(self, rows: np.ndarray, phase: Phase) -> Source:
        """Return the source of these rows, not augmented, before a phase."""
        stages = phase.stages[0]
        augments = self._augmentation(phase.objective) is not None
        is_kept = not augments and len(stages) < len(self.module.network.stages)
        if self.changed or is_kept or self.module.level != "row":
            return self._kept_source(self.train, stages)
        # No epoch would use the outputs at a cut; pooled features may be in the cache.
        return source_of(self.train.data, POOLED, rows.tolist())
