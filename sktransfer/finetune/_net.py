"""skorch's training loop around a module of ours; the only file that knows skorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils import ClassifierTags
from skorch import NeuralNet
from skorch.callbacks import Callback as Callback
from skorch.callbacks import EpochTimer, PassthroughScoring
from skorch.history import History as History
from torch import nn

from sktransfer import _runtime
from sktransfer._randomness import Randomness
from sktransfer.adapt import FineTuned
from sktransfer.backbones import Given
from sktransfer.exceptions import TargetError
from sktransfer.finetune._batching import Batches
from sktransfer.finetune._loss import BatchLoss
from sktransfer.finetune._stream import Rows
from sktransfer.finetune._tasks import Task
from sktransfer.finetune._team import Alone

if TYPE_CHECKING:
    from sktransfer.finetune._watch import Watch


def _explained(error: Exception, rows: int) -> Exception | None:
    """Return an error that says what to do, for some of torch that do not."""
    told = str(error)
    if "more than 1 value per channel" in told:
        return TargetError(
            "A batch norm that learns needs more than one value a channel, and a batch of "
            f"{rows} row(s) of this size has one. Set a larger batch_size or image_size, or "
            "open fewer stages."
        )
    if _runtime.is_out_of_memory(error):
        return MemoryError(
            f"There is not enough memory for a step of {rows} rows. Try "
            f"batch_size={max(1, rows // 2)}, fewer opened stages, or smaller images."
        )
    return None


class Net(NeuralNet):
    """A loop over `Batches`, with our optimizer, precision and randomness.

    Parameters
    ----------
    module : FineTuned
        Is trained in place.
    batch_loss : callable
        From outputs, targets and weights of a batch to its loss.
    with_head : bool
        Whether outputs are those of the head, or the features before it.
    task : Task
        Tells scorers of callbacks what outputs mean.
    make_optimizer, make_schedule : callable
        From the module to an optimizer, from that to what is stepped after each batch.
    randomness : Randomness
        For dropout and what else draws in a forward pass.
    random : RandomState
        For mixup.
    team : Alone
        The processes that share the batches.
    precision : {"float32", "bfloat16"}
        Of the forward pass.
    mixup : float
        Parameter of the beta distribution that rows are mixed by; 0 for none.
    watch : Watch
        Follows the training.
    """

    def __init__(
        self,
        module: FineTuned,
        *,
        batch_loss: BatchLoss,
        with_head: bool,
        task: Task,
        make_optimizer: Callable[[FineTuned], torch.optim.Optimizer],
        make_schedule: Callable[[torch.optim.Optimizer], Any],
        randomness: Randomness,
        random: np.random.RandomState,
        team: Alone,
        precision: str,
        mixup: float,
        watch: Watch,
        **kwargs: Any,
    ) -> None:
        # `get_loss` is what skorch would call a criterion for.
        super().__init__(
            module,
            criterion=nn.Identity,
            train_split=None,
            predict_nonlinearity=task.shares,
            **kwargs,
        )
        self.task = task
        self.batch_loss = batch_loss
        self.with_head = with_head
        self.make_optimizer = make_optimizer
        self.make_schedule = make_schedule
        self.randomness = randomness
        self.random = random
        self.team = team
        self.precision = precision
        self.mixup = mixup
        self.watch = watch
        self.last_rate = 0.0
        self._begun = False

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
            ("watch", self.watch),
        ]

    @property
    def classes_(self) -> np.ndarray:
        """Classes by their numbers, as targets have them: for scorers."""
        return np.arange(self.task.n_outputs)

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions as targets are encoded: for scorers."""
        return self.task.chosen(self.predict_proba(X))

    def run(self, train: Batches, valid: Batches | None, epochs: int) -> None:
        """Train for some epochs, from where the module is."""
        self._splits = train, valid
        if not self._begun:  # once, however many phases there are
            self._begun = True
            self.notify("on_train_begin", X=train, y=None)
        for _ in range(epochs):
            self.team.align(self.module_)
            self.fit_loop(train, epochs=1)
            if self.watch.is_over:
                break

    def end(self) -> None:
        """Tell callbacks that the last phase is over, however it ended."""
        if self._begun:
            self.notify("on_train_end", X=self._splits[0], y=None)

    def initialize_module(self) -> Net:
        """Take the module as it is; it is on its device already."""
        self.module_ = self.module
        return self

    def initialize_history(self) -> Net:
        """Go on from the epochs before: callbacks count them, and may look back."""
        self.history_ = self.watch.log
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
        try:
            step = super().train_step(batch, **params)
        except (RuntimeError, ValueError) as error:
            explained = _explained(error, len(batch[0]))
            if explained is None:
                raise
            raise explained from error
        # Of the head; after the last step the schedule has come to the next one's, or to zero.
        self.last_rate = float(self.optimizer_.param_groups[0]["lr"])
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
        return {"loss": self.team.summed(loss, len(rows), self.module_), "y_pred": outputs}

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Let a batch count for all its rows in the means of an epoch, not for a share of them."""
        if training:
            self.history.record_batch("train_batch_size", batch[0].batch_size)

    def infer(self, x: Rows, **params: Any) -> torch.Tensor:
        """Run the module."""
        run = self.module_ if self.with_head else self.module_.features
        return run(x.inputs, x.given).float()

    def validation_step(self, batch: Any, **params: Any) -> dict[str, Any]:
        """Return outputs and loss of a batch, in eval mode."""
        with self._precisely():
            return super().validation_step(batch, **params)

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Any:
        """Return the loss of a batch."""
        return self.batch_loss(y_pred, y_true, self.weights_of(X, training))

    def weights_of(self, rows: Rows, training: bool) -> torch.Tensor:
        """Return the weights of some rows of the training or the validation set."""
        batches = self._splits[0] if training else self._splits[1]
        assert batches is not None
        return batches.weights[rows.positions]

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call a method of all callbacks; one that has seen enough ends the training."""
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt:  # so skorch's EarlyStopping says that it is over
            if method_name != "on_epoch_end":
                raise
            self.watch.end()
        except KeyError as error:
            if "was not found in history" in str(error):
                error.add_note(
                    "There is a loss and a score of validation rows only with X_val and y_val, or "
                    "with early_stopping=True, which holds rows out."
                )
            raise

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = self.task.kind
        tags.classifier_tags = ClassifierTags() if self.task.kind == "classifier" else None
        return tags

    def _precisely(self) -> Any:
        device = next(self.module_.parameters()).device
        return _runtime.autocast(device, self.precision)
