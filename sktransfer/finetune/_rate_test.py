"""A training whose learning rate grows from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from sktransfer.finetune._net import Callback


class Enough(Exception):  # noqa: N818 - ends a fit of which nothing is kept
    """The range test is over."""


# Share of the first loss below which there is nothing left to learn.
_LEARNED = 0.01


class RateTest(Callback):
    """Sets the rate of each step and notes its loss.

    Parameters
    ----------
    rates : ndarray of float
        Of the head, one a step; those of other groups keep their ratio to it.
    smoothing : float
        How much of the smoothed loss is that of the steps before.
    too_high : float
        The test ends where the smoothed loss is so many times the lowest.

    Attributes
    ----------
    losses, smoothed : list of float
        One a step that was made. The last may be infinite or NaN.
    """

    def __init__(self, rates: np.ndarray, *, smoothing: float, too_high: float) -> None:
        self.rates = rates
        self.smoothing = smoothing
        self.too_high = too_high
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self._average = 0.0

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the rates of the next step."""
        groups = net.optimizer_.param_groups
        ratio = float(self.rates[len(self.losses)]) / groups[0]["lr"]
        for group in groups:
            group["lr"] *= ratio

    def on_batch_end(self, net: Any, loss: Any = None, **kwargs: Any) -> None:
        """Note the loss; leave where there is no more to learn."""
        self.losses.append(loss.item())
        self._average += (1 - self.smoothing) * (self.losses[-1] - self._average)
        # At the first steps the average is still near its start, zero.
        self.smoothed.append(self._average / (1 - self.smoothing ** len(self.losses)))
        if len(self.losses) == len(self.rates) or self._is_lost() or self._is_learned():
            raise Enough

    def _is_learned(self) -> bool:
        # Few rows are soon known by heart, and without a loss no rate is too high.
        return self.losses[-1] < _LEARNED * self.losses[0]

    def _is_lost(self) -> bool:
        return not self.smoothed[-1] <= self.too_high * min(self.smoothed)


def run_rate_test(estimator: Any, X: Any, y: Any, test: RateTest) -> None:
    """Train a clone of a fine-tuner under a range test."""
    settings: dict[str, Any] = {
        "callbacks": [test],
        "contrastive_epochs": 0,
        "early_stopping": False,
        "lr": float(test.rates[0]),
        "lr_schedule": "constant",
        "max_epochs": len(test.rates),  # enough, as each has a batch at least
        "probe_epochs": 0,
        "verbose": 0,
        "warmup": 0.0,
    }
    probe = clone(estimator)
    known = probe.get_params(deep=False)
    probe.set_params(**{name: value for name, value in settings.items() if name in known})
    try:
        probe.set_callbacks().fit(X, y)
    except Enough:
        return
