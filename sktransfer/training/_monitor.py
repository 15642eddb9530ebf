"""The record of a training: history, best weights, early stopping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.history import History

from sktransfer.exceptions import DivergedError
from sktransfer.training.targets import Target

# Not taken from skorch's history: what it records for itself, and what we record beside it.
_OWN = {"epoch", "phase", "lr", "seconds", "train_batch_count", "valid_batch_count"}


@dataclass(eq=False)
class Monitor(Callback):
    """Follows a training epoch by epoch.

    Parameters
    ----------
    target : Target or None
        Scores outputs of validation rows.
    expected : int
        Number of planned epochs.
    patience : int or None
        Epochs without a lower validation loss after which a phase stops; None for no limit.
    earlier : sequence of dict
        Records of fits that this one continues.

    Attributes
    ----------
    tell : callable
        Called with the record of each epoch; returns whether to stop.
    log : skorch.history.History
        What skorch's callbacks see: all epochs, those of other phases and earlier fits included.
    history : list of dict
        Records of the epochs of this fit.
    phase_is_over, is_over : bool
        Whether the phase, or the whole training, ends after this epoch.
    last, best : dict of str to Tensor
        Trained weights after the last epoch, and after that with the lowest validation loss;
        empty if there is none.
    best_epoch : int or None
        The epoch with the lowest validation loss, or the last one.
    """

    target: Target | None
    _: KW_ONLY
    expected: int
    patience: int | None
    earlier: InitVar[Sequence[dict[str, Any]]]
    tell: Callable[[dict[str, Any]], bool] = field(init=False)
    log: History = field(init=False)
    history: list[dict[str, Any]] = field(init=False, default_factory=list)
    phase_is_over: bool = field(init=False, default=False)
    is_over: bool = field(init=False, default=False)
    best_epoch: int | None = field(init=False, default=None)
    best: dict[str, torch.Tensor] = field(init=False, default_factory=dict)
    last: dict[str, torch.Tensor] = field(init=False, default_factory=dict)

    def __post_init__(self, earlier: Sequence[dict[str, Any]]) -> None:
        self.log = _as_skorch_history(earlier)
        self._done_before = len(earlier)
        self._best_loss = np.inf
        self._is_rejected = False
        self._seen: list[tuple[np.ndarray, ...]] = []

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Drop the validation outputs of the epoch before."""
        self._seen = []

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, y_pred: Any = None, **kwargs: Any
    ) -> None:
        """Keep outputs of validation rows."""
        if not training and self.target is not None:
            rows, targets = batch
            outputs = y_pred.float().cpu().numpy()
            self._seen.append((outputs, targets.cpu().numpy(), rows.weights.cpu().numpy()))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Score the validation rows, before the user's callbacks see the epoch."""
        if self._seen and self.target is not None:
            outputs, targets, weights = zip(*self._seen, strict=True)
            join = self.target.join
            score = self.target.score(join(outputs), join(targets), np.concatenate(weights))
            net.history.record("valid_score", score)

    def finish_epoch(self, net: Any) -> None:
        """Record the epoch, after all callbacks have."""
        record: dict[str, Any] = {
            "epoch": len(net.history),
            "phase": net.phase.name,
            "lr": net.last_lr,
            **_recorded(net.history[-1]),
        }
        if "valid_loss" in record:  # it decides when all processes stop
            record["valid_loss"] = net.training.processes.of_first(record["valid_loss"])
        trained = {name: t.detach().clone() for name, t in net.module_.trained().items()}
        _refuse_diverged(record, trained)
        self.history.append(record)
        self.last = trained
        self._compare(record)
        if self.tell(record):
            self.stop()

    def reject(self) -> None:
        """End the training after this epoch, with the best weights of those before it."""
        self._is_rejected = True
        self.best = self.best or self.last
        self.best_epoch = self.best_epoch or self._done_before
        self.stop()

    def stop(self) -> None:
        """End the training after this epoch."""
        self.phase_is_over = self.is_over = True

    def _compare(self, record: dict[str, Any]) -> None:
        if self._is_rejected:
            return
        loss = record.get("valid_loss")
        if loss is None or self.patience is None:
            self.best_epoch = record["epoch"]
        elif loss < self._best_loss:
            self._best_loss, self.best_epoch, self.best = loss, record["epoch"], self.last
        elif record["epoch"] - (self.best_epoch or 0) >= self.patience:
            self.phase_is_over = True


def _recorded(epoch: dict[str, Any]) -> dict[str, float]:
    """Return the numbers that skorch and callbacks have recorded, with `dur` as `seconds`."""
    return {
        "seconds" if name == "dur" else name: float(value)
        for name, value in epoch.items()
        if isinstance(value, Real)
        and name not in _OWN
        and not name.endswith("_best")
        and not name.startswith("event_")
    }


def _as_skorch_history(records: Sequence[dict[str, Any]]) -> History:
    names = {"seconds": "dur"}
    return History(
        {"batches": [], **{names.get(name, name): value for name, value in record.items()}}
        for record in records
    )


def _refuse_diverged(record: dict[str, Any], trained: dict[str, torch.Tensor]) -> None:
    what = f"The loss of epoch {record['epoch']} is {record['train_loss']}"
    if np.isfinite(record["train_loss"]):
        # The last step may have been the fatal one, and no loss follows it.
        if all(tensor.isfinite().all() for tensor in trained.values()):
            return
        what = f"After epoch {record['epoch']} there are weights that are no numbers"
    raise DivergedError(f"{what}: the steps were too large. Set a lower lr, or a longer warmup.")
