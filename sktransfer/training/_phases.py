"""The phases of a training: objectives with the stages that are trained in each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sktransfer.exceptions import BackboneError
from sktransfer.training._fine_tuned import FineTuned
from sktransfer.training._processes import processes
from sktransfer.training.objectives import Mixup, Objective, Supervised, SupervisedContrastive
from sktransfer.training.strategies import Gradual, Stages
from sktransfer.training.targets import Target


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


def supervised_phases(
    params: Any,
    module: FineTuned,
    target: Target,
    *,
    epochs: int,
    prepare: bool,
    done: int,
    random: np.random.RandomState,
) -> list[Phase]:
    """Return the phases of supervised training.

    Parameters
    ----------
    params : estimator
        Its parameters are read.
    module : FineTuned
        Is trained.
    target : Target
        What is learned.
    epochs : int
        Number of epochs beside those of preparing phases.
    prepare : bool
        Whether contrastive and probe epochs come first.
    done : int
        Epochs of gradual opening in fits that this one continues.
    random : RandomState
        Draws for mixup.
    """
    opened = module.opened
    objective: Objective = Supervised(target, params.label_smoothing)
    if params.mixup:
        objective = Mixup(
            target,
            params.label_smoothing,
            alpha=params.mixup,
            random=processes().own(random),
            blends_inputs=params._modality().can_blend,
        )
    phases: list[Phase] = []
    contrasts = prepare and bool(params.contrastive_epochs)
    if contrasts:
        _check_weights(module)
        contrastive = SupervisedContrastive()
        phases.append(Phase(contrastive.name, contrastive, [opened] * params.contrastive_epochs))
    if opened and prepare and params.probe_epochs:
        phases.append(Phase("probe", objective, [()] * params.probe_epochs))
    if contrasts:
        # Training more of the network would undo the contrastive epochs.
        phases.append(Phase("head", objective, [()] * epochs))
    else:
        name = "gradual" if isinstance(module.strategy, Gradual) else objective.name
        phases.append(Phase(name, objective, module.strategy.epochs(opened, epochs, done)))
    return phases


def _check_weights(module: FineTuned) -> None:
    if not any(p.requires_grad for p in module.network.parameters()):
        raise BackboneError(
            f"contrastive_epochs trains opened stages, and {', '.join(module.opened)} "
            "have no weights. Open more of them."
        )
