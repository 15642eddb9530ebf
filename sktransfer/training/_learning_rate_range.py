"""A learning rate range test: the rate grows from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from skorch.callbacks import Callback


class _Finished(Exception):  # noqa: N818 - ends a fit of which nothing is kept
    """The range test is over."""


# Decay of the exponential moving average of the loss. From 0.8 to 0.98 the minimum is at about the
# same rate; a larger decay delays it.
_SMOOTHING = 0.9
# The test ends when the smoothed loss exceeds this multiple of its minimum.
_TOO_HIGH = 4.0
# Share of the first loss below which nothing is left to learn: few rows are soon memorized, and
# without a loss no rate is too high.
_LEARNED = 0.01


class RangeTest(Callback):
    """Sets the learning rate of each step and records its loss.

    Parameters
    ----------
    rates : ndarray of float
        Learning rate of the head per step; those of other groups keep their ratio to it.

    Attributes
    ----------
    losses, smoothed : list of float
        One per step made. The last may be infinite or NaN.
    """

    def __init__(self, rates: np.ndarray) -> None:
        self.rates = rates
        self.losses: list[float] = []
        self.smoothed: list[float] = []

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the learning rates of the next step."""
        groups = net.optimizer_.param_groups
        # Rates are values of the parameter `lr`, of which some objectives take a part.
        rate = float(self.rates[len(self.losses)]) * net.phase.objective.lr_scale
        ratio = rate / groups[0]["lr"]
        for group in groups:
            group["lr"] *= ratio

    def on_batch_end(self, net: Any, loss: Any = None, **kwargs: Any) -> None:
        """Record the loss; stop where nothing is left to learn, or the rate is too high."""
        self.losses.append(loss.item())
        done = len(self.losses)
        weights = _SMOOTHING ** np.arange(done)[::-1]
        self.smoothed.append(float(np.average(self.losses, weights=weights)))
        is_learned = self.losses[-1] < _LEARNED * self.losses[0]
        is_lost = not self.smoothed[-1] <= _TOO_HIGH * min(self.smoothed)
        if done == len(self.rates) or is_lost or is_learned:
            raise _Finished


def run_range_test(estimator: Any, X: Any, y: Any, test: RangeTest) -> None:
    """Train a clone of a fine-tuner under a range test."""
    settings: dict[str, Any] = {
        "callbacks": [test],
        "contrastive_epochs": 0,
        "early_stopping": False,
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
