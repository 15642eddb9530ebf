"""Loss, effective rank and neighbours' score over the epochs of pre-training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktransfer._public import public
from sktransfer.inspection._axes import SCORE, TRAIN, VALID, Display, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_QUALITIES = {
    "effective_rank": ("effective rank", SCORE),
    "knn_score": ("10-NN score", "tab:purple"),
}


@public
@dataclass(eq=False, repr=False)
class PretrainingDisplay(Display):
    """Losses of a pretrainer, and the quality of its features, over the epochs.

    Use `from_estimator` to create one.

    Parameters
    ----------
    history : list of dict
        `history_` of a fitted pretrainer: one record per epoch.
    initial_scores : dict of str to float, optional
        Its `initial_scores_`, drawn as epoch 0.
    best_epoch : int, optional
        The epoch whose weights were kept; 0 for those before the first.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for the losses, then one per quality.
    figure_ : matplotlib Figure
        Figure of the axes.
    lines_ : dict of str to matplotlib Line2D
        By the key in the history.

    See Also
    --------
    compare_pretrained : Whether a model learns more from the features.

    Examples
    --------
    >>> from sktransfer import PretrainingDisplay, TextPretrainer
    >>> X = ["a good film", "a bad film"] * 4
    >>> pretrainer = TextPretrainer(max_epochs=3, random_state=0, cache=False).fit(X)
    >>> display = PretrainingDisplay.from_estimator(pretrainer)
    >>> sorted(display.lines_)
    ['effective_rank', 'train_loss']
    """

    history: list[dict[str, Any]]
    initial_scores: dict[str, float] | None = field(default=None, kw_only=True)
    best_epoch: int | None = field(default=None, kw_only=True)

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the training of a fitted pretrainer.

        Parameters
        ----------
        estimator : pretrainer
            Fitted.
        ax : sequence of matplotlib Axes, optional
            One for the losses and one per quality; by default those of a new figure.
        **kwargs
            Passed to ``Axes.plot`` for every line.

        Returns
        -------
        PretrainingDisplay
        """
        if not hasattr(estimator, "initial_scores_"):
            if hasattr(estimator, "objective"):
                check_is_fitted(estimator)
            raise TypeError(
                f"{type(estimator).__name__} is no pretrainer. Pass a TextPretrainer or an "
                "ImagePretrainer; HistoryDisplay draws the training of fine-tuners."
            )
        display = cls(
            estimator.history_,
            initial_scores=estimator.initial_scores_,
            best_epoch=estimator.best_epoch_,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw losses and qualities side by side.

        Parameters
        ----------
        ax : sequence of matplotlib Axes, optional
            One for the losses and one per quality; by default those of a new figure.
        **kwargs
            Passed to ``Axes.plot`` for every line.

        Returns
        -------
        self
        """
        shown = [name for name in _QUALITIES if any(name in record for record in self.history)]
        self.axes_ = _axes(ax, 1 + len(shown))
        self.figure_ = self.axes_[0].figure
        self.lines_: dict[str, Any] = {}
        style = {"marker": "o", "markersize": 4, "linewidth": 1.8, **kwargs}
        for name, colour in (("train_loss", TRAIN), ("valid_loss", VALID)):
            if any(name in record for record in self.history):
                label = name.replace("train", "training").replace("valid", "validation")
                self._line(0, name, {"label": label.replace("_", " "), "color": colour, **style})
        for place, name in enumerate(shown, start=1):
            label, colour = _QUALITIES[name]
            self._line(place, name, {"label": label, "color": colour, **style})
        for place, label in enumerate(["loss", *(_QUALITIES[name][0] for name in shown)]):
            self._finish(self.axes_[place], label)
        self.axes_[0].legend(frameon=False)
        return self

    def _line(self, place: int, name: str, style: dict[str, Any]) -> None:
        start = (self.initial_scores or {}).get(name, np.nan)
        values = [start, *(record.get(name, np.nan) for record in self.history)]
        (self.lines_[name],) = self.axes_[place].plot(range(len(values)), values, **style)

    def _finish(self, ax: Axes, label: str) -> None:
        from matplotlib.ticker import MaxNLocator

        ax.set(xlabel="epoch", ylabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if self.best_epoch is not None:
            ax.axvline(self.best_epoch, color="0.35", linestyle=":", label="weights kept")


def _axes(given: Any, number: int) -> list[Axes]:
    if given is not None:
        axes = list(np.ravel(given))
        if len(axes) != number:
            raise ValueError(f"ax must hold {number} axes, one per quantity, not {len(axes)}.")
        return [axes_or_new(ax) for ax in axes]
    figure: Any = axes_or_new(None).figure
    figure.clear()
    figure.set_size_inches(4 * number, 3.2)
    return [axes_or_new(ax) for ax in np.ravel(figure.subplots(1, number))]
