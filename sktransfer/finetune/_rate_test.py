"""Training with a learning rate that increases at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from sktransfer.finetune._net import Callback


class Enough(Exception):  # noqa: N818 - ends a fit whose result is discarded
    """Raised to end the range test."""


# The test ends when the loss falls below this share of the first loss.
_LEARNED = 0.01


class RateTest(Callback):
    """Callback that sets the learning rate of each step and records its loss.

    Parameters
    ----------
    rates : ndarray of float
        Learning rate of the head at each step. Other parameter groups keep their ratio to it.
    smoothing : float
        Decay of the exponential moving average of the loss, in [0, 1).
    too_high : float
        The test ends when the smoothed loss exceeds this multiple of its minimum.

    Attributes
    ----------
    losses, smoothed : list of float
        One value per step. The last one may be infinite or NaN.
    """

    def __init__(self, rates: np.ndarray, *, smoothing: float, too_high: float) -> None:
        self.rates = rates
        self.smoothing = smoothing
        self.too_high = too_high
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self._average = 0.0

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the learning rates of the next step."""
        groups = net.optimizer_.param_groups
        ratio = float(self.rates[len(self.losses)]) / groups[0]["lr"]
        for group in groups:
            group["lr"] *= ratio

    def on_batch_end(self, net: Any, loss: Any = None, **kwargs: Any) -> None:
        """Record the loss; end the test if it diverged, or if nothing is left to learn."""
        self.losses.append(loss.item())
        self._average += (1 - self.smoothing) * (self.losses[-1] - self._average)
        # Bias correction: the average starts at zero.
        self.smoothed.append(self._average / (1 - self.smoothing ** len(self.losses)))
        if len(self.losses) == len(self.rates) or self._is_lost() or self._is_learned():
            raise Enough

    def _is_learned(self) -> bool:
        # With few rows the loss soon vanishes, and then no rate appears too high.
        return self.losses[-1] < _LEARNED * self.losses[0]

    def _is_lost(self) -> bool:
        return not self.smoothed[-1] <= self.too_high * min(self.smoothed)


def run_rate_test(estimator: Any, X: Any, y: Any, test: RateTest) -> None:
    """Train a clone of a fine-tuner with the callback `test`, without schedule and phases."""
    settings: dict[str, Any] = {
        "callbacks": [test],
        "contrastive_epochs": 0,
        "early_stopping": False,
        "lr": float(test.rates[0]),
        "lr_schedule": "constant",
        "max_epochs": len(test.rates),  # an upper bound: each epoch has at least one batch
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
