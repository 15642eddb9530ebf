"""skorch's training loop around a module of ours; the only file that knows skorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback as Callback
from skorch.callbacks import EpochTimer, PassthroughScoring
from skorch.history import History
from torch import nn

from sktransfer import _runtime
from sktransfer._randomness import Randomness
from sktransfer.adapt import FineTuned
from sktransfer.backbones import Given
from sktransfer.exceptions import DivergedError, TargetError
from sktransfer.finetune._batching import Batches
from sktransfer.finetune._loss import BatchLoss
from sktransfer.finetune._stream import Rows
from sktransfer.finetune._team import Alone


class Watch(Callback):
    """Follows a training epoch by epoch: the score, the best weights, whether to go on.

    Parameters
    ----------
    score : callable
        From outputs, encoded targets and weights of the validation rows to a number.
    expected : int
        Epochs that are planned.
    patience : int or None
        Epochs without a lower validation loss after which it is enough.
    tell : callable
        Is given the record of each epoch; returns whether to stop.
    earlier : sequence of dict
        Records of fits that this one goes on from.

    Attributes
    ----------
    log : skorch.history.History
        What skorch's callbacks see: all epochs, also those of fits before and of other phases.
    is_over, is_ended : bool
        Whether the epochs of one kind were enough, or the whole training.
    """

    def __init__(
        self,
        score: Callable[[np.ndarray, np.ndarray, np.ndarray], float],
        *,
        expected: int,
        patience: int | None,
        tell: Callable[[dict[str, Any]], bool],
        earlier: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.score = score
        self.expected = expected
        self.patience = patience
        self.tell = tell
        self.log = _as_skorch_logs(earlier)
        self.before = len(earlier)
        self.phase = ""
        self.history: list[dict[str, Any]] = []
        self.is_over = False
        self.is_ended = False
        self.best_epoch: int | None = None
        self._best_loss = np.inf
        self._best: dict[str, torch.Tensor] = {}
        self._last: dict[str, torch.Tensor] = {}
        self._seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    @property
    def done(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Forget the outputs of the last epoch."""
        self._seen = []

    def on_batch_end(
        self, net: Net, batch: Any = None, training: bool = False, y_pred: Any = None, **kwargs: Any
    ) -> None:
        """Keep outputs of validation rows."""
        if not training:
            rows, targets = batch
            weights = net.weights_of(rows, training=False)
            outputs = y_pred.float().cpu().numpy()
            self._seen.append((outputs, targets.cpu().numpy(), weights.cpu().numpy()))

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        """Score, remember, and tell."""
        if self._seen:
            outputs, targets, weights = map(np.concatenate, zip(*self._seen, strict=True))
            net.history.record("valid_score", self.score(outputs, targets, weights))
        record: dict[str, Any] = {"epoch": self.before + self.done + 1}
        record["phase"] = self.phase
        record["lr"] = net.first_rate
        for ours, theirs in _RECORDED.items():
            if theirs in net.history[-1]:
                record[ours] = float(net.history[-1, theirs])
        if "valid_loss" in record:  # it decides how long all go on
            record["valid_loss"] = net.team.of_first(record["valid_loss"])
        if not np.isfinite(record["train_loss"]):
            raise DivergedError(
                f"The loss of epoch {record['epoch']} is {record['train_loss']}: the steps were "
                "too large. Set a lower lr, or a longer warmup."
            )
        self.history.append(record)
        self._last = _copied(net.module_.trained())
        self._compare(record)
        if self.tell(record):
            self.end()

    def end(self) -> None:
        """Let no more epochs follow, of any phase."""
        self.is_over = self.is_ended = True

    def restore_best(self, module: FineTuned) -> None:
        """Put the weights of the best epoch back, if a validation loss was ever a number."""
        if self._best:
            module.restore(self._best)

    def restore_last(self, module: FineTuned) -> None:
        """Put the weights of the last whole epoch back."""
        module.restore(self._last)

    def _compare(self, record: dict[str, Any]) -> None:
        loss = record.get("valid_loss")
        if loss is None or self.patience is None:
            self.best_epoch = record["epoch"]
        elif loss < self._best_loss:
            self._best_loss, self.best_epoch, self._best = loss, record["epoch"], self._last
        elif record["epoch"] - (self.best_epoch or 0) >= self.patience:
            self.is_over = True


# What our records take of skorch's.
_RECORDED = {
    "train_loss": "train_loss",
    "valid_loss": "valid_loss",
    "valid_score": "valid_score",
    "seconds": "dur",
}


def _as_skorch_logs(records: Sequence[dict[str, Any]]) -> History:
    history = History()
    for record in records:
        history.new_epoch()
        for name, value in record.items():
            history.record(_RECORDED.get(name, name), value)
    return history


def _copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


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
        super().__init__(module, criterion=nn.Identity, train_split=None, **kwargs)
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
    def first_rate(self) -> float:
        """The learning rate of the head, as it is now."""
        return float(self.optimizer_.param_groups[0]["lr"])

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
        return _runtime.autocast(device, self.precision)
