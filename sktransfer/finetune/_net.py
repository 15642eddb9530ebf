"""skorch's training loop around a module of ours; the only file that knows skorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer, PassthroughScoring
from torch import nn

from sktransfer.adapt import FineTuned, Randomness
from sktransfer.backbones import Given
from sktransfer.finetune._batching import Batches
from sktransfer.finetune._loss import RowLoss, weighted_mean
from sktransfer.finetune._stream import Rows

#: What happens in each epoch, for skorch's callbacks and ours.
Listener = Callback


class Net(NeuralNet):
    """A loop over `Batches`, with our optimizer, precision and randomness.

    Parameters
    ----------
    module : FineTuned
        Is trained in place.
    row_loss : callable
        From outputs and targets to one loss a row.
    make_optimizer, make_schedule : callable
        From the module to an optimizer, from that to what is stepped after each batch.
    randomness : Randomness
        For dropout and what else draws in a forward pass.
    precision : {"float32", "bfloat16"}
        Of the forward pass.
    mixup : float
        Parameter of the beta distribution that rows are mixed by; 0 for none.
    """

    def __init__(
        self,
        module: FineTuned,
        *,
        row_loss: RowLoss,
        make_optimizer: Callable[[FineTuned], torch.optim.Optimizer],
        make_schedule: Callable[[torch.optim.Optimizer], Any],
        randomness: Randomness,
        random: np.random.RandomState,
        precision: str,
        mixup: float,
        **kwargs: Any,
    ) -> None:
        # The loss of rows stands where skorch expects one of batches: `get_loss` averages.
        super().__init__(module, criterion=nn.Identity, train_split=None, **kwargs)
        self.row_loss = row_loss
        self.make_optimizer = make_optimizer
        self.make_schedule = make_schedule
        self.randomness = randomness
        self.random = random
        self.precision = precision
        self.mixup = mixup

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
        ]

    def run(self, train: Batches, valid: Batches | None, epochs: int) -> None:
        """Train for some epochs, from where the module is."""
        self._splits = train, valid
        self.notify("on_train_begin", X=train, y=None)
        try:
            self.fit_loop(train, epochs=epochs)
        finally:
            self.notify("on_train_end", X=train, y=None)

    def initialize_module(self) -> Net:
        """Take the module as it is; it is on its device already."""
        self.module_ = self.module
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> Net:
        """Make optimizer and schedule."""
        self.optimizer_ = self.make_optimizer(self.module_)
        self.schedule_ = self.make_schedule(self.optimizer_)
        return self

    def get_split_datasets(self, X: Any, y: Any = None, **params: Any) -> tuple[Any, Any]:
        """Return training and validation set."""
        return self._splits

    def get_iterator(self, dataset: Batches, training: bool = False) -> Batches:
        """Return the set itself: each iteration over it is an epoch."""
        return dataset

    def train_step(self, batch: Any, **params: Any) -> dict[str, Any]:
        """Make a step, also of the schedule."""
        step = super().train_step(batch, **params)
        self.schedule_.step()
        return step

    def train_step_single(self, batch: tuple[Rows, torch.Tensor], **params: Any) -> dict[str, Any]:
        """Return the loss of a batch, and its gradients in the parameters."""
        self._set_training(True)
        rows, targets = batch
        with self.randomness.own(), self._precisely():
            if self.mixup:
                loss, outputs = self._mixed_loss(rows, targets)
            else:
                outputs = self.infer(rows)
                loss = self.get_loss(outputs, targets, X=rows, training=True)
        loss.backward()
        return {"loss": loss, "y_pred": outputs}

    def infer(self, x: Rows, **params: Any) -> torch.Tensor:
        """Run the module."""
        return self.module_(x.inputs, x.given).float()

    def validation_step(self, batch: Any, **params: Any) -> dict[str, Any]:
        """Return outputs and loss of a batch, in eval mode."""
        with self._precisely():
            return super().validation_step(batch, **params)

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Any:
        """Return the weighted mean over the rows."""
        batches = self._splits[0] if training else self._splits[1]
        assert batches is not None
        weights = batches.weights[X.positions]
        return weighted_mean(self.row_loss(y_pred, y_true), weights)

    def _mixed_loss(self, rows: Rows, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        share = float(self.random.beta(self.mixup, self.mixup))
        other = torch.from_numpy(self.random.permutation(len(rows)))
        partners = Rows([rows.positions[i] for i in other], None)
        outputs = self._mixed_outputs(rows, other, share)
        losses = (
            self.get_loss(outputs, targets, X=rows, training=True),
            self.get_loss(outputs, targets[other], X=partners, training=True),
        )
        return share * losses[0] + (1 - share) * losses[1], outputs

    def _mixed_outputs(self, rows: Rows, other: torch.Tensor, share: float) -> torch.Tensor:
        def mix(values: torch.Tensor) -> torch.Tensor:
            return share * values + (1 - share) * values[other.to(values.device)]

        inputs, given = rows.inputs, rows.given
        if isinstance(inputs, dict):  # tokens cannot be mixed, so features are
            return self.module_.head(mix(self.module_.features(inputs, given))).float()
        if given is not None:
            return self.module_(inputs, Given(given.stage, mix(given.activation))).float()
        return self.module_(mix(inputs)).float()

    def _precisely(self) -> Any:
        device = next(self.module_.parameters()).device
        lower = self.precision == "bfloat16"
        return torch.autocast(device.type, torch.bfloat16, enabled=lower)
