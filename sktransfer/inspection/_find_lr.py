"""Which learning rate to begin with."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sktransfer.inspection._axes import TRAIN, VALID, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Of the smoothed loss, so much is that of the steps before. The place of the minimum is about
# the same from 0.8 to 0.98; the more, the later it follows.
_SMOOTHING = 0.9
# The test ends where the smoothed loss is so many times the lowest.
_TOO_HIGH = 4.0


def find_lr(
    estimator: Any, X: Any, y: Any, *, low: float = 1e-6, high: float = 1.0, steps: int = 100
) -> LearningRateDisplay:
    """Find a learning rate by one short training in which it grows from step to step.

    This is the range test of Smith [1]_. A clone of the estimator trains for as many batches as
    there are steps, through the rows again and again, and the rate grows by the same factor in
    each. Where it is too low the loss stays, where it is good the loss falls, where it is too
    high the loss rises; there the test ends, when the smoothed loss is four times its lowest. It
    also ends where a batch has a hundredth of the first one's loss: few rows are soon learned.
    Suggested is the rate at which the smoothed loss has done half of its fall: below it there is
    much that a higher rate would learn sooner, and at the lowest loss nothing falls any more. A
    tenth of the rate with the lowest loss, the rule of Howard and Gugger [2]_, is too high for a
    head, which gets there slowly, and too low where stages learn, whose loss turns at once; their
    steepest point moves with every batch.

    Parameters
    ----------
    estimator : fine-tuner
        It is cloned and stays as it is. The clone trains without callbacks, schedule, warm-up,
        probe and contrastive epochs and early stopping; rates below the head's keep their
        ratio to it (`layer_decay`).
    X : column of n cells
        As for `fit`.
    y : array-like of shape (n,) or (n, k)
        Targets.
    low, high : float, default=1e-6 and 1.0
        First and last rate of the head; those between are evenly spaced on a log scale.
    steps : int, default=100
        Batches of the whole test.

    Returns
    -------
    LearningRateDisplay
        With the losses, and the rate that they suggest.

    Notes
    -----
    What is found is a rate to begin a search with. Where the loss is still falling at the end,
    pass a higher `high`. The same `random_state` of the estimator gives the same suggestion.

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
    from sktransfer.finetune._base import BaseFineTuner
    from sktransfer.finetune._rate_test import RateTest, run_rate_test

    if not isinstance(estimator, BaseFineTuner):
        raise TypeError(
            f"find_lr trains a fine-tuner, such as ImageClassifier, and not a "
            f"{type(estimator).__name__}; of a Pipeline pass the last step, and what the steps "
            "before make of X."
        )
    test = RateTest(_rates(low, high, steps), smoothing=_SMOOTHING, too_high=_TOO_HIGH)
    run_rate_test(estimator, X, y, test)
    done = len(test.losses)
    return LearningRateDisplay(
        test.rates[:done], np.array(test.losses), np.array(test.smoothed), _suggested(test)
    )


def _rates(low: float, high: float, steps: int) -> np.ndarray:
    if not (isinstance(low, Real) and isinstance(high, Real) and 0 < low < high < np.inf):
        raise ValueError(f"low={low!r} and high={high!r} must be rates with 0 < low < high.")
    if not isinstance(steps, Integral) or steps < 2:
        raise ValueError(f"steps={steps!r} must be an integer of 2 or more.")
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


class LearningRateDisplay:
    """Losses over learning rates, as `find_lr` returns them.

    Parameters
    ----------
    rates : ndarray of shape (n,)
        Learning rates of the head, one a step that was made.
    losses, smoothed_losses : ndarray of shape (n,)
        Training loss of each batch, and its running average.
    suggestion : float
        The rate to begin with.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the losses.
    figure_ : matplotlib Figure
        With the axes.
    lines_ : list of matplotlib Line2D
        Losses, smoothed losses, and the suggestion.

    See Also
    --------
    find_lr : Makes one, with an example.
    HistoryDisplay : Losses over epochs, after a training.
    """

    ax_: Axes
    figure_: Figure | Any
    lines_: list[Line2D]

    def __init__(
        self, rates: np.ndarray, losses: np.ndarray, smoothed_losses: np.ndarray, suggestion: float
    ) -> None:
        self.rates = rates
        self.losses = losses
        self.smoothed_losses = smoothed_losses
        self.suggestion = suggestion

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure without it.
        **kwargs
            Passed to ``Axes.plot`` for the smoothed losses.

        Returns
        -------
        self
        """
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        thin: dict[str, Any] = {
            "color": TRAIN,
            "alpha": 0.3,
            "linewidth": 1,
            "label": "loss of a batch",
        }
        thick: dict[str, Any] = {"color": TRAIN, "linewidth": 2, "label": "smoothed loss", **kwargs}
        self.lines_ = self.ax_.plot(self.rates, self.losses, **thin)
        self.lines_ += self.ax_.plot(self.rates, self.smoothed_losses, **thick)
        label = f"suggestion: {self.suggestion:.1e}"
        self.lines_.append(
            self.ax_.axvline(self.suggestion, color=VALID, linestyle=":", linewidth=2, label=label)
        )
        # The last batches may have losses in the millions.
        top = 1.1 * np.nanmax(self.smoothed_losses[np.isfinite(self.smoothed_losses)])
        lowest = np.nanmin(self.losses[np.isfinite(self.losses)])
        self.ax_.set(xscale="log", xlabel="learning rate", ylabel="training loss")
        if top > lowest:
            self.ax_.set_ylim(lowest - 0.05 * (top - lowest), top)
        self.ax_.legend(frameon=True, framealpha=0.9, edgecolor="none")
        return self

    def __repr__(self) -> str:
        """Tell the suggestion."""
        return f"{type(self).__name__}(suggestion={self.suggestion:.2g}, steps={len(self.rates)})"
