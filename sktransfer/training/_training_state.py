"""What the phases of one training share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sktransfer._randomness import Randomness
from sktransfer.training._callbacks import own_callbacks
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._monitor import Monitor
from sktransfer.training._phases import Phase
from sktransfer.training._processes import processes
from sktransfer.training._split import Split


@dataclass
class TrainingState:
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
        augment = self.params._modality().augmentation(self.params.augment)
        self.augment = None if augment is None else self.randomness.own()(augment)
        self.monitor = Monitor(
            self.train.target,
            expected=sum(len(phase.stages) for phase in self.phases),
            patience=self.params.n_iter_no_change if self.params.early_stopping else None,
            earlier=self.earlier,
        )
