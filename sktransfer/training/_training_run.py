"""The phases of a training, from the first to the last."""

from __future__ import annotations

from itertools import groupby

from sktransfer._warnings import warn
from sktransfer.exceptions import StoppedWarning
from sktransfer.training._loop import Loop
from sktransfer.training._samplers import Sampler
from sktransfer.training._training import Phase, Training
from sktransfer.training.strategies import Stages


def run(training: Training) -> None:
    """Train; on an interrupt, keep the finished epochs."""
    monitor, module = training.monitor, training.module
    needs_start = not training.earlier
    try:
        for phase in training.phases:
            if needs_start and not phase.objective.prepares:
                training.start_head(phase)
                needs_start = False
            if not monitor.is_over:
                _run_phase(training, phase)
    except KeyboardInterrupt:
        done = len(monitor.history)
        if not done or needs_start:
            raise
        module.restore(monitor.last)
        warn(
            f"The fit was interrupted; the estimator is fitted with the {done} of "
            f"{monitor.expected} epochs that were done. With warm_start=True, fit continues.",
            StoppedWarning,
        )
    if monitor.best:
        module.restore(monitor.best)
    training.processes.align(module)
    module.open(module.opened)
    module.eval()


def _run_phase(training: Training, phase: Phase) -> None:
    training.monitor.phase_is_over = False
    loop = Loop(training, phase)
    try:
        for stages, epochs in groupby(phase.stages):
            train, valid = _samplers(training, phase, stages)
            loop.run(train, valid, len(list(epochs)))
            training.sources.change(stages)
            if training.monitor.phase_is_over:
                return
    finally:
        loop.end()


def _samplers(training: Training, phase: Phase, stages: Stages) -> tuple[Sampler, Sampler | None]:
    """Open the stages, and return the batches to train and to validate on."""
    training.module.open(stages)
    size, objective = training.params.batch_size, phase.objective
    source = training.sources.of(training.train, stages, objective)
    train = objective.sampler(source, training.train, size, training.random)
    if training.valid is None or objective.prepares:
        return train, None
    return train, Sampler(
        training.sources.of(training.valid, stages, objective), training.valid, size
    )
