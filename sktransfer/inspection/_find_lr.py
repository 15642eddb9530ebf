"""Learning rate range test."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sktransfer._parameters import check_integer
from sktransfer.inspection._axes import TRAIN, VALID, Display, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def find_lr(
    estimator: Any, X: Any, y: Any, *, low: float = 1e-6, high: float = 1.0, steps: int = 100
) -> LearningRateDisplay:
    """Suggest a learning rate by a range test: a short training with an increasing rate.

    In the range test of Smith [1]_, a clone of the estimator trains for `steps` batches, with as
    many passes over the rows as that takes, and the rate is multiplied by a constant factor after
    each batch. If the rate is too low the loss is constant, at a good rate it falls, and if the
    rate is too high it rises. The test ends early when the smoothed loss exceeds four times its
    minimum, or when the loss of a batch is a hundredth of the first one, which happens quickly
    with few rows. The suggestion is the rate at which the smoothed loss has made half of its
    fall: lower rates learn more slowly, and at the minimum the loss no longer falls. Two other
    rules were less reliable. A tenth of the rate at the minimum, as in Howard and Gugger [2]_, is
    too high for a head, whose loss falls slowly, and too low for trained stages, whose loss rises
    abruptly. The steepest point of the loss varies from batch to batch.

    Parameters
    ----------
    estimator : fine-tuner
        It is cloned and not changed. The clone trains without callbacks, schedule, warm-up,
        probe and contrastive epochs and early stopping; the rates of the stages keep their ratio
        to that of the head (`layer_decay`).
    X : column of n cells
        As for `fit`.
    y : array-like of n targets
        As for `fit`.
    low, high : float, default=1e-6 and 1.0
        First and last rate of the head. The rates between are evenly spaced on a log scale.
    steps : int, default=100
        Number of rates, and of batches, one per rate. A test that ends early has tried the
        first of them only.

    Returns
    -------
    LearningRateDisplay
        The losses of the steps made, and the suggested rate.

    Raises
    ------
    TypeError
        If `estimator` is not a fine-tuner.
    ValueError
        If `low`, `high` or `steps` is out of range, or the loss is not finite at the first step.

    Notes
    -----
    Use the suggestion as the centre of a search. If the loss still falls at the end of the test,
    increase `high`. The same `random_state` of the estimator gives the same suggestion.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017,
       section 3.3, https://arxiv.org/abs/1506.01186
    .. [2] J. Howard and S. Gugger, "Deep Learning for Coders with fastai and PyTorch",
       O'Reilly 2020, chapter 5, "The Learning Rate Finder".

    Examples
    --------
    >>> from sktransfer import TextClassifier, find_lr
    >>> column, y = ["a good film", "a bad film"] * 10, [1, 0] * 10
    >>> found = find_lr(TextClassifier(random_state=0, cache=False), column, y)
    >>> tuned = TextClassifier(lr=found.suggestion)
    >>> found.plot().ax_.get_xscale()
    'log'
    """
    from sktransfer.base import TrainerMixin
    from sktransfer.training import RangeTest, run_range_test

    if not isinstance(estimator, TrainerMixin):
        raise TypeError(
            f"find_lr trains a fine-tuner, such as ImageClassifier, and not a "
            f"{type(estimator).__name__}. Of a Pipeline, pass the last step, with X as transformed "
            "by the steps before it."
        )
    test = RangeTest(_rates(low, high, steps))
    run_range_test(estimator, X, y, test)
    done = len(test.losses)
    return LearningRateDisplay(
        test.rates[:done], np.array(test.losses), np.array(test.smoothed), _suggested(test)
    )


def _rates(low: float, high: float, steps: int) -> np.ndarray:
    if not (isinstance(low, Real) and isinstance(high, Real) and 0 < low < high < np.inf):
        raise ValueError(f"low={low!r} and high={high!r} must be rates with 0 < low < high.")
    check_integer("steps", steps, least=2)
    return np.geomspace(low, high, steps)


def _suggested(test: Any) -> float:
    if not np.isfinite(test.smoothed[0]):
        raise ValueError(
            f"The loss is {test.smoothed[0]} before the first step, so no rate can be found."
        )
    fall = np.array(test.smoothed[: int(np.nanargmin(test.smoothed)) + 1])
    highest = int(fall.argmax())
    halfway = (fall[highest] + fall[-1]) / 2
    return float(test.rates[highest + np.argmax(fall[highest:] <= halfway)])


@dataclass(eq=False, repr=False)
class LearningRateDisplay(Display):
    """Training loss as a function of the learning rate, as returned by `find_lr`.

    Parameters
    ----------
    rates : ndarray of shape (n,)
        Learning rate of the head at each step.
    losses, smoothed_losses : ndarray of shape (n,)
        Training loss of each batch, and its exponential moving average.
    suggestion : float
        Suggested learning rate.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the losses.
    figure_ : matplotlib Figure
        Figure of the axes.
    lines_ : list of matplotlib Line2D
        Losses, smoothed losses, and the suggestion.

    See Also
    --------
    find_lr : Range test that returns this display, with an example.
    HistoryDisplay : Losses and scores over the epochs of a training.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed_losses: np.ndarray
    suggestion: float

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the losses and the suggestion.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.
        **kwargs
            Passed to ``Axes.plot`` for the smoothed losses.

        Returns
        -------
        self
        """
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        style: dict[str, Any] = {"color": TRAIN, "linewidth": 2, "label": "smoothed loss", **kwargs}
        label = f"suggestion: {self.suggestion:.1e}"
        self.lines_ = [
            *self.ax_.plot(
                self.rates, self.losses, color=TRAIN, alpha=0.3, label="loss of a batch"
            ),
            *self.ax_.plot(self.rates, self.smoothed_losses, **style),
            self.ax_.axvline(self.suggestion, color=VALID, linestyle=":", label=label),
        ]
        # The loss of the last batches may be in the millions.
        top = 1.1 * np.nanmax(self.smoothed_losses[np.isfinite(self.smoothed_losses)])
        lowest = np.nanmin(self.losses[np.isfinite(self.losses)])
        self.ax_.set(xscale="log", xlabel="learning rate", ylabel="training loss")
        if top > lowest:
            self.ax_.set_ylim(lowest - 0.05 * (top - lowest), top)
        self.ax_.legend(frameon=True, framealpha=0.9, edgecolor="none")
        return self

    def __repr__(self) -> str:
        """Return the suggestion and the number of steps."""
        return f"{type(self).__name__}(suggestion={self.suggestion:.2g}, steps={len(self.rates)})"
