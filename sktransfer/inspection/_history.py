"""Losses and scores over the epochs of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.validation import check_is_fitted

from sktransfer._public import public
from sktransfer.inspection._axes import SCORE, TRAIN, VALID, Display, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# The loss of this phase is of another kind, so no line connects it with other phases.
_APART = "contrastive"


@public
@dataclass(eq=False, repr=False)
class HistoryDisplay(Display):
    """Losses and scores of a fine-tuner over the epochs of its training.

    Use `from_estimator` to create one.

    Parameters
    ----------
    history : list of dict
        `history_` of a fitted fine-tuner: one record per epoch.
    best_epoch : int, optional
        The epoch whose weights were kept, counted from 1.
    score_name : str, default="score"
        Label of the validation score.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the losses.
    score_ax_ : matplotlib Axes or None
        Axes with the validation scores; None if there are none.
    figure_ : matplotlib Figure
        Figure of the axes.
    lines_ : list of matplotlib Line2D
        Training loss and, if rows were held out, validation loss and validation score.

    See Also
    --------
    find_lr : Learning rate range test.

    Examples
    --------
    >>> from sktransfer import HistoryDisplay, TextClassifier
    >>> classifier = TextClassifier(max_epochs=3, random_state=0, cache=False)
    >>> classifier = classifier.fit(["a good film", "a bad film"] * 4, [1, 0] * 4)
    >>> display = HistoryDisplay.from_estimator(classifier)
    >>> display.lines_[0].get_xdata().tolist()
    [1, 2, 3]
    """

    history: list[dict[str, Any]]
    best_epoch: int | None = field(default=None, kw_only=True)
    score_name: str = field(default="score", kw_only=True)

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the training of a fitted fine-tuner.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `history_`. Of a `Pipeline`, pass the last step (``model[-1]``); of a
            search, its `best_estimator_`.
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.
        **kwargs
            Passed to ``Axes.plot`` for every line.

        Returns
        -------
        HistoryDisplay
        """
        if not hasattr(estimator, "history_"):
            if hasattr(estimator, "max_epochs"):
                check_is_fitted(estimator)
            raise TypeError(
                f"{type(estimator).__name__} has no history_, so there is no training to draw. "
                "Pass a fitted fine-tuner: of a Pipeline the last step (model[-1]), of a search "
                "its best_estimator_."
            )
        display = cls(
            estimator.history_,
            best_epoch=getattr(estimator, "best_epoch_", None),
            score_name="R²" if is_regressor(estimator) else "accuracy",
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the losses and scores.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.
        **kwargs
            Passed to ``Axes.plot`` for every line.

        Returns
        -------
        self
        """
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        self.score_ax_: Any = None
        self.lines_: list[Line2D] = []
        style = {"marker": "o", "markersize": 4, "linewidth": 1.8, **kwargs}
        self._line(self.ax_, "train_loss", {"label": "training loss", "color": TRAIN, **style})
        self._line(self.ax_, "valid_loss", {"label": "validation loss", "color": VALID, **style})
        if self._has("valid_score"):
            self._plot_score({"color": SCORE, "linestyle": "--", **style})
        self._shade_phases()
        self._label([*self.lines_, *self._best_epoch()])
        return self

    def _plot_score(self, style: dict[str, Any]) -> None:
        name = f"validation {self.score_name}"
        self.score_ax_ = self.ax_.twinx()
        self.score_ax_.spines["top"].set_visible(False)
        self._line(self.score_ax_, "valid_score", {"label": name, **style})
        self.score_ax_.set_ylabel(name, color=style["color"])
        self.score_ax_.tick_params(axis="y", colors=style["color"])

    def _has(self, key: str) -> bool:
        return any(key in record for record in self.history)

    def _line(self, ax: Axes, key: str, style: dict[str, Any]) -> None:
        if not self._has(key):
            return
        # Positions instead of `epoch`, which may restart when a training is continued.
        epochs = list(range(1, len(self.history) + 1))
        values = [record.get(key, np.nan) for record in self.history]
        phases = [record["phase"] for record in self.history]
        for place in range(len(epochs) - 1, 0, -1):
            if key != "valid_score" and phases[place - 1] == _APART != phases[place]:
                epochs.insert(place, epochs[place])
                values.insert(place, np.nan)
        self.lines_ += ax.plot(epochs, values, **style)

    def _best_epoch(self) -> list[Line2D]:
        """Mark the epoch whose weights were kept."""
        epochs = [record["epoch"] for record in self.history]
        if self.best_epoch not in epochs:
            return []
        # The last of that number: it may restart when a training is continued.
        place = len(epochs) - epochs[::-1].index(self.best_epoch)
        label = f"weights kept (epoch {place})"
        return [self.ax_.axvline(place, color="0.35", linestyle=":", label=label)]

    def _shade_phases(self) -> None:
        phases = [(name, len(list(run))) for name, run in groupby(r["phase"] for r in self.history)]
        if len(phases) < 2:
            return
        start, above = 0.5, self.ax_.get_xaxis_transform()
        for number, (name, length) in enumerate(phases):
            if number % 2 == 0:
                self.ax_.axvspan(start, start + length, color="0.5", alpha=0.1, linewidth=0)
            middle = start + length / 2
            self.ax_.text(middle, 1.02, name, transform=above, ha="center", fontsize="small")
            start += length

    def _label(self, handles: list[Line2D]) -> None:
        from matplotlib.ticker import MaxNLocator

        self.ax_.set(xlabel="epoch", ylabel="loss", xlim=(0.5, len(self.history) + 0.5))
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        # Below the axes: with two y-axes, no place inside is sure to be free.
        below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}
        self.ax_.legend(handles=handles, ncols=2, frameon=False, **below)
