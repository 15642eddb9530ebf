"""What is remembered of a training epoch by epoch, and when it is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sktransfer.adapt import FineTuned
from sktransfer.exceptions import DivergedError
from sktransfer.finetune._net import Callback, History

if TYPE_CHECKING:
    from sktransfer.finetune._net import Net


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
        record["lr"] = net.last_rate
        for ours, theirs in _RECORDED.items():
            if theirs in net.history[-1]:
                record[ours] = float(net.history[-1, theirs])
        if "valid_loss" in record:  # it decides how long all go on
            record["valid_loss"] = net.team.of_first(record["valid_loss"])
        learned = _copied(net.module_.trained())
        _refuse_diverged(record, learned)
        self.history.append(record)
        self._last = learned
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


def _refuse_diverged(record: dict[str, Any], learned: dict[str, torch.Tensor]) -> None:
    what = f"The loss of epoch {record['epoch']} is {record['train_loss']}"
    if np.isfinite(record["train_loss"]):
        # Its last step may have been the fatal one, and no loss comes after that.
        if all(tensor.isfinite().all() for tensor in learned.values()):
            return
        what = f"After epoch {record['epoch']} there are weights that are no numbers"
    raise DivergedError(f"{what}: the steps were too large. Set a lower lr, or a longer warmup.")


def _copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
