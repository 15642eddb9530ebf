"""One training: its phases, its settings, and its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sktransfer import _runtime
from sktransfer._randomness import Randomness
from sktransfer.exceptions import BackboneError
from sktransfer.modalities import mask_of
from sktransfer.training._callbacks import own_callbacks
from sktransfer.training._column_data import Split
from sktransfer.training._monitor import Monitor
from sktransfer.training._processes import processes
from sktransfer.training._samplers import in_batches
from sktransfer.training._table_sources import make_sources
from sktransfer.training.objectives import Objective
from sktransfer.training.strategies import Stages


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
    module : FineTuned or FusedTowers
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
    module: Any
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
        changed: Stages = self.module.opened if self.earlier else ()
        self.sources = make_sources(self.module, self.train, self.randomness, changed)

    def start_head(self, phase: Phase) -> None:
        """Set what the head takes from the training rows when the phase begins.

        Of a supervised head, that is the mean and deviation of features.
        """
        data, rows = self.train.data, self.train.rows
        if self.train.target is None:
            phase.objective.start(self.module.head, self.train)
            return
        if len(rows) > self.module.standardized_on:
            rows = np.sort(self.random.permutation(rows)[: self.module.standardized_on])
        self.module.eval()
        source = self.sources.first(rows, phase.stages[0], phase.objective)
        with _runtime.inference(data.device, data.precision):
            parts = [self._flat_features(batch) for batch in source(in_batches(rows, 32))]
        features = torch.cat(parts).clone()
        if not self.module.are_finite(features):
            raise BackboneError(
                f"{data.name!r} gives features that are not finite before anything is "
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
