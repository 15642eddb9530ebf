"""A learning rate range test: the rate grows from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from skorch.callbacks import Callback


class _Finished(Exception):  # noqa: N818 - ends a fit of which nothing is kept
    """The range test is over."""


# Share of the first loss below which nothing is left to learn.
_LEARNED = 0.01


class RangeTest(Callback):
    """Sets the learning rate of each step and records its loss.

    Parameters
    ----------
    rates : ndarray of float
        Learning rate of the head per step; those of other groups keep their ratio to it.
    smoothing : float
        Share of the earlier steps in the smoothed loss.
    too_high : float
        The test ends where the smoothed loss is this multiple of its lowest.

    Attributes
    ----------
    losses, smoothed : list of float
        One per step made. The last may be infinite or NaN.
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
        """Record the loss; stop where nothing is left to learn."""
        self.losses.append(loss.item())
        self._average += (1 - self.smoothing) * (self.losses[-1] - self._average)
        # Corrects the bias of the first steps, where the average is near its start, zero.
        self.smoothed.append(self._average / (1 - self.smoothing ** len(self.losses)))
        if len(self.losses) == len(self.rates) or self._is_lost() or self._is_learned():
            raise _Finished

    def _is_learned(self) -> bool:
        # Few rows are soon memorized, and without a loss no rate is too high.
        return self.losses[-1] < _LEARNED * self.losses[0]

    def _is_lost(self) -> bool:
        return not self.smoothed[-1] <= self.too_high * min(self.smoothed)


def run_range_test(estimator: Any, X: Any, y: Any, test: RangeTest) -> None:
    """Train a clone of a fine-tuner under a range test."""
    settings: dict[str, Any] = {
        "callbacks": [test],
        "contrastive_epochs": 0,
        "early_stopping": False,
        "lr": float(test.rates[0]),
        "lr_schedule": "constant",
        "max_epochs": len(test.rates),  # enough: each has at least one batch
        "probe_epochs": 0,
        "verbose": 0,
        "warmup": 0.0,
    }
    probe = clone(estimator)
    known = probe.get_params(deep=False)
    probe.set_params(**{name: value for name, value in settings.items() if name in known})
    try:
        probe.set_callbacks().fit(X, y)
    except _Finished:
        return
