"""skorch's training loop over our samplers, with our optimizer, precision and randomness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.utils import ClassifierTags
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer, PassthroughScoring
from torch import nn

from sktransfer import _runtime
from sktransfer._randomness import Randomness
from sktransfer.exceptions import TargetError
from sktransfer.training._module import FineTuned
from sktransfer.training._monitor import Monitor
from sktransfer.training._processes import SingleProcess
from sktransfer.training._samplers import Sampler
from sktransfer.training._sources import TrainingBatch
from sktransfer.training.objectives import Objective
from sktransfer.training.targets import Target


class Loop(NeuralNet):
    """The epochs of one phase.

    Parameters
    ----------
    module : FineTuned
        Is trained in place.
    objective : Objective
        Defines the loss.
    target : Target or None
        Tells scorers of callbacks what outputs mean.
    make_optimizer, make_schedule : callable
        From the module to an optimizer, and from that to a schedule that is stepped per batch.
    randomness : Randomness
        For dropout and other draws in a forward pass.
    processes : SingleProcess
        The processes that share each batch.
    precision : {"float32", "bfloat16"}
        Precision of the forward pass.
    monitor : Monitor
        Follows the training.
    """

    def __init__(
        self,
        module: FineTuned,
        *,
        objective: Objective,
        target: Target | None,
        make_optimizer: Callable[[FineTuned], torch.optim.Optimizer],
        make_schedule: Callable[[torch.optim.Optimizer], Any],
        randomness: Randomness,
        processes: SingleProcess,
        precision: str,
        monitor: Monitor,
        **kwargs: Any,
    ) -> None:
        # skorch requires a criterion; `get_loss` takes its place.
        super().__init__(
            module,
            criterion=nn.Identity,
            train_split=None,
            predict_nonlinearity=target.to_proba if target else None,
            **kwargs,
        )
        self.objective = objective
        self.target = target
        self.make_optimizer = make_optimizer
        self.make_schedule = make_schedule
        self.randomness = randomness
        self.processes = processes
        self.precision = precision
        self.monitor = monitor
        self.last_lr = 0.0
        self._begun = False

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
            ("monitor", self.monitor),
        ]

    @property
    def classes_(self) -> np.ndarray:
        """Numbers of the classes, as targets have them: for scorers."""
        return np.arange(self.target.n_outputs if self.target else 0)

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions as targets are encoded: for scorers."""
        assert self.target is not None
        return self.target.to_labels(self.predict_proba(X))

    def run(self, train: Sampler, valid: Sampler | None, epochs: int) -> None:
        """Train for some epochs, from where the module is."""
        self._samplers = train, valid
        if not self._begun:  # once per phase, however often the opened stages change
            self._begun = True
            self.notify("on_train_begin", X=train, y=None)
        for _ in range(epochs):
            self.processes.align(self.module_)
            self.fit_loop(train, epochs=1)
            if self.monitor.phase_is_over:
                break

    def end(self) -> None:
        """Notify callbacks that the phase is over, however it ended."""
        if self._begun:
            self.notify("on_train_end", X=self._samplers[0], y=None)

    def initialize_module(self) -> Loop:
        """Take the module as it is; it is on its device already."""
        self.module_ = self.module
        return self

    def initialize_history(self) -> Loop:
        """Continue the history of the epochs before: callbacks count them and look back."""
        self.history_ = self.monitor.log
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> Loop:
        """Create optimizer and schedule."""
        self.optimizer_ = self.make_optimizer(self.module_)
        self.schedule_ = self.make_schedule(self.optimizer_)
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
            explained = _explained(error, len(batch[0]))
            if explained is None:
                raise
            raise explained from error
        # Read before the schedule moves on to the next step, or to zero.
        self.last_lr = float(self.optimizer_.param_groups[0]["lr"])
        self.schedule_.step()
        return step

    def train_step_single(self, batch: tuple[TrainingBatch, Any], **params: Any) -> dict[str, Any]:
        """Return the loss of a batch, with its gradients in the parameters."""
        self._set_training(True)
        rows, targets = batch
        with self.randomness.own(), self._autocast():
            weights = self.weights_of(rows, training=True)
            loss, outputs = self.objective.training_loss(self.module_, rows, targets, weights)
        loss.backward()
        return {"loss": self.processes.summed(loss, len(rows), self.module_), "y_pred": outputs}

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Weight a batch in the means of an epoch by all its rows, not by a process's share."""
        if training:
            self.history.record_batch("train_batch_size", batch[0].batch_size)

    def validation_step(self, batch: tuple[TrainingBatch, Any], **params: Any) -> dict[str, Any]:
        """Return outputs and loss of a batch, in eval mode."""
        self._set_training(False)
        rows, targets = batch
        with torch.no_grad(), self._autocast():
            weights = self.weights_of(rows, training=False)
            loss, outputs = self.objective.loss(self.module_, rows, targets, weights)
        return {"loss": loss, "y_pred": outputs}

    def infer(self, x: TrainingBatch, **params: Any) -> torch.Tensor:
        """Return outputs of the head: for scorers."""
        return self.module_(x.inputs, x.cached).float()

    def weights_of(self, batch: TrainingBatch, training: bool) -> torch.Tensor:
        """Return the weights of some rows of the training or the validation set."""
        sampler = self._samplers[0] if training else self._samplers[1]
        assert sampler is not None
        return sampler.split.weights[batch.rows]

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call a method of all callbacks; skorch's EarlyStopping ends the training."""
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt:  # raised by EarlyStopping
            if method_name != "on_epoch_end":
                raise
            self.monitor.stop()
        except KeyError as error:
            if "was not found in history" in str(error):
                error.add_note(
                    "Validation losses and scores are recorded only with X_val and y_val, or "
                    "with early_stopping=True, which holds rows out."
                )
            raise
        if method_name == "on_epoch_end":
            self.monitor.finish_epoch(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        kind = self.target.estimator_type if self.target else None
        tags.estimator_type = kind
        tags.classifier_tags = ClassifierTags() if kind == "classifier" else None
        return tags

    def _autocast(self) -> Any:
        device = next(self.module_.parameters()).device
        return _runtime.autocast(device, self.precision)


def _explained(error: Exception, rows: int) -> Exception | None:
    """Return an error with advice in place of some errors of torch's."""
    message = str(error)
    if "more than 1 value per channel" in message:
        return TargetError(
            "A batch norm in training mode needs more than one value per channel, and a batch of "
            f"{rows} row(s) of this size has one. Set a larger batch_size or image_size, or "
            "open fewer stages."
        )
    if _runtime.is_out_of_memory(error):
        return MemoryError(
            f"Out of memory in a step of {rows} rows. Try "
            f"batch_size={max(1, rows // 2)}, fewer opened stages, or smaller images."
        )
    return None
