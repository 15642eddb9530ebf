"""skorch's training loop over our samplers, with our optimizer, precision and randomness."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import ClassifierTags
from skorch import NeuralNet
from torch import nn

from sktransfer import _runtime
from sktransfer.exceptions import TargetError
from sktransfer.training._optimizers import groups_of, make_optimizer, make_schedule
from sktransfer.training._samplers import Sampler
from sktransfer.training._sources import TrainingBatch
from sktransfer.training._training import Phase, Training


class Loop(NeuralNet):
    """The epochs of one phase.

    Parameters
    ----------
    training : Training
        Its module is trained in place, by its estimator's parameters.
    phase : Phase
        Defines the loss and the length of the schedule.
    """

    def __init__(self, training: Training, phase: Phase) -> None:
        self.target = training.train.target
        # skorch requires a criterion; the objective takes its place.
        super().__init__(
            training.module,
            criterion=nn.Identity,
            train_split=None,
            predict_nonlinearity=self.target.to_proba if self.target else None,
            # Most callbacks are about predictions, which need a trained head.
            callbacks=[
                ("monitor", training.monitor),
                *([] if phase.objective.prepares else training.callbacks),
            ],
            callbacks__print_log=None,
            device=str(training.train.data.device),
            verbose=0,
        )
        self.training = training
        self.phase = phase
        self.last_lr = 0.0

    @property
    def classes_(self) -> np.ndarray:
        """Numbers of the classes, as targets have them: for scorers."""
        return np.arange(self.target.n_outputs if self.target else 0)

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions as targets are encoded: for scorers."""
        if self.target is None:
            raise TypeError(
                "A pretrainer has no predictions to score. `history_` has the losses and the "
                "quality of features: valid_loss, effective_rank, knn_score."
            )
        return self.target.to_labels(self.predict_proba(X))

    def run(self, train: Sampler, valid: Sampler | None, epochs: int) -> None:
        """Train for some epochs, from where the module is."""
        self._samplers = train, valid
        if not self.initialized_:  # once per phase, however often the opened stages change
            self.initialize()
            self.notify("on_train_begin", X=train, y=None)
        for _ in range(epochs):
            self.training.processes.align(self.module_)
            self.fit_loop(train, epochs=1)
            if self.training.monitor.phase_is_over:
                break

    def end(self) -> None:
        """Notify callbacks that the phase is over, however it ended."""
        if self.initialized_:
            self.notify("on_train_end", X=self._samplers[0], y=None)

    def initialize_history(self) -> Loop:
        """Continue the history of the epochs before: callbacks count them and look back."""
        self.history_ = self.training.monitor.log
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> Loop:
        """Create the optimizer, and a schedule over all epochs of the phase."""
        params, steps = self.training.params, len(self._samplers[0]) * len(self.phase.stages)
        groups = groups_of(
            self.module_,
            lr=params.lr,
            scale=self.phase.objective.lr_scale,
            layer_decay=params.layer_decay,
            weight_decay=params.weight_decay,
        )
        self.optimizer_ = make_optimizer(groups, params.optimizer, momentum=params.momentum)
        self.schedule_ = make_schedule(
            self.optimizer_, params.lr_schedule, warmup=params.warmup, steps=steps
        )
        return self

    def get_split_datasets(self, X: Any, y: Any = None, **params: Any) -> tuple[Any, Any]:
        """Return training and validation set."""
        return self._samplers

    def get_iterator(self, dataset: Sampler, training: bool = False) -> Sampler:
        """Return the set itself: each iteration over it is an epoch."""
        return dataset

    def train_step(self, batch: Any, **params: Any) -> dict[str, Any]:
        """Make an optimizer step and a step of the schedule."""
        try:
            step = super().train_step(batch, **params)
        except (RuntimeError, ValueError) as error:
            _explain(error, len(batch[0]))
            raise
        # Read before the schedule moves on to the next step, or to zero.
        self.last_lr = float(self.optimizer_.param_groups[0]["lr"])
        self.schedule_.step()
        return step

    def train_step_single(self, batch: tuple[TrainingBatch, Any], **params: Any) -> dict[str, Any]:
        """Return the loss of a batch, with its gradients in the parameters."""
        self._set_training(True)
        with self.training.randomness.own():
            loss, outputs = self._loss(self.phase.objective.training_loss, *batch)
        if not loss.requires_grad:
            raise ValueError(
                f"The loss of {self.phase.name!r} depends on no weight that is trained: the "
                "objective has detached it, or a callback has frozen all weights."
            )
        loss.backward()
        loss = self.training.processes.summed(loss, len(batch[0]), self.module_)
        return {"loss": loss, "y_pred": outputs}

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Weight a batch in the means of an epoch by all its rows, not by a process's share."""
        if training:
            self.history.record_batch("train_batch_size", batch[0].batch_size)

    def validation_step(self, batch: tuple[TrainingBatch, Any], **params: Any) -> dict[str, Any]:
        """Return outputs and loss of a batch, in eval mode."""
        self._set_training(False)
        with torch.no_grad():
            loss, outputs = self._loss(self.phase.objective.loss, *batch)
        return {"loss": loss, "y_pred": outputs}

    def _loss(self, compute: Any, rows: TrainingBatch, targets: Any) -> Any:
        """Return the loss and the outputs, or raise if the objective returns something else."""
        with self._autocast():
            found = compute(self.module_, rows, targets, rows.weights)
        loss = found[0] if isinstance(found, tuple) and len(found) == 2 else None
        if not isinstance(loss, torch.Tensor) or loss.ndim:
            raise TypeError(
                f"The loss of the objective {self.phase.name!r} must return a tensor without "
                f"dimensions, and the outputs, got {reprlib.repr(found)}."
            )
        return found

    def infer(self, x: TrainingBatch, **params: Any) -> torch.Tensor:
        """Return outputs of the head: for scorers."""
        return self.module_(x.inputs, x.cached).float()

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call a method of all callbacks; skorch's EarlyStopping ends the training."""
        try:
            getattr(self, method_name)(self, **kwargs)
            for name, callback in self.callbacks_:
                with _named(name, callback, method_name):
                    getattr(callback, method_name)(self, **kwargs)
        except KeyboardInterrupt:  # raised by EarlyStopping
            if method_name != "on_epoch_end":
                raise
            self.training.monitor.stop()
        if method_name == "on_epoch_end":
            self.training.monitor.finish_epoch(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        kind = self.target.estimator_type if self.target else None
        tags.estimator_type = kind
        tags.classifier_tags = ClassifierTags() if kind == "classifier" else None
        return tags

    def _autocast(self) -> Any:
        data = self.training.train.data
        return _runtime.autocast(data.device, data.precision)


@contextmanager
def _named(name: str, callback: Any, method_name: str) -> Iterator[None]:
    """Add the name of a callback to its errors."""
    try:
        yield
    except Exception as error:
        if name != "monitor":
            error.add_note(f"This is about the callback {name!r}, in its {method_name}.")
        if hasattr(callback, "scoring"):
            error.add_note(f"Its scoring, {callback.name_!r}, must return one number.")
        raise


def _explain(error: Exception, rows: int) -> None:
    """Raise an error with advice in place of some errors of torch's."""
    if "more than 1 value per channel" in str(error):
        raise TargetError(
            "A batch norm in training mode needs more than one value per channel, and a batch of "
            f"{rows} row(s) of this size has one. Set a larger batch_size or image_size, or "
            "open fewer stages."
        ) from error
    if _runtime.is_out_of_memory(error):
        raise MemoryError(
            f"Out of memory in a step of {rows} rows. Try "
            f"batch_size={max(1, rows // 2)}, fewer opened stages, or smaller images."
        ) from error
