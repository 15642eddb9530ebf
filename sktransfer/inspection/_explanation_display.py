"""Explanations drawn: bars of columns, heat maps, coloured words and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sktransfer._public import public
from sktransfer.inspection._axes import Display, axes_or_new
from sktransfer.inspection._explain import explain
from sktransfer.inspection._explanation import Explanation, shown_rows
from sktransfer.modalities import WEIGHT_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches.
_BARS_WIDTH, _CELL_WIDTH, _LEAST_HEIGHT = 4.2, 4.8, 2.4


@public
@dataclass(eq=False, repr=False)
class ExplanationDisplay(Display):
    """What a model went by: shares of columns, and the weights of parts of their cells.

    Use `from_estimator`, or `plot` of what `explain` returns, to create one.

    Parameters
    ----------
    explanation : Explanation
        From `explain`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, shape (n, k)
        Bars if there are several columns, and one drawing per column with parts.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    explain : The numbers.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktransfer import ExplanationDisplay, TextEmbedder
    >>> texts = ["a good film", "a very good book", "a bad film", "such a bad book"]
    >>> model = make_pipeline(TextEmbedder(cache=False), LogisticRegression())
    >>> display = ExplanationDisplay.from_estimator(model.fit(texts, [1, 1, 0, 0]), texts[:2])
    >>> display.axes_.shape
    (2, 1)
    """

    explanation: Explanation

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, **options: Any) -> Self:
        """Explain and draw the first rows, eight at most.

        Parameters
        ----------
        estimator : estimator
            Fitted; see `explain`.
        X : column or table
            Rows to explain.
        **options
            Parameters of `explain`.

        Returns
        -------
        ExplanationDisplay
        """
        return cls(explain(estimator, X, **options)).plot()

    def plot(self) -> Self:
        """Draw one row of plots per row.

        Returns
        -------
        self
        """
        import matplotlib.pyplot as plt

        rows = shown_rows(self.explanation)
        names = list(dict.fromkeys(name for row in rows for name in self.explanation.parts[row]))
        widths = [_CELL_WIDTH] * len(names)
        if len(self.explanation.columns) > 1 or not names:
            widths.insert(0, _BARS_WIDTH)
        height = max(_LEAST_HEIGHT, 1.2 + 0.22 * len(self.explanation.columns))
        figure, axes = plt.subplots(
            *(len(rows), len(widths)),
            figsize=(sum(widths), height * len(rows)),
            width_ratios=widths,
            squeeze=False,
            layout="constrained",
        )
        for row in rows:
            if len(widths) > len(names):
                self._draw_bars(axes[row, 0], row)
            for ax, name in zip(axes[row, len(widths) - len(names) :], names, strict=True):
                self._draw_cell(ax, row, name)
            title = self.explanation.title(row).replace(", ", "\n")
            axes[row, 0].set_title(title, fontsize=9, loc="left", parse_math=False)
        self.axes_, self.figure_ = axes, figure
        return self

    def _draw_bars(self, ax: Axes, row: int) -> None:
        found = self.explanation
        order = found.order(row)[::-1]
        shares = np.nan_to_num(found.shares[row, order])
        axes_or_new(ax)
        ax.grid(visible=False)
        ax.barh(
            range(len(order)), shares, color=["tab:red" if s > 0 else "tab:blue" for s in shares]
        )
        labels = [found.label(row, column) for column in order]
        ax.set_yticks(range(len(order)), labels, fontsize=8, parse_math=False)
        ax.axvline(0, color="0.5", linewidth=0.8)
        ax.set_xlabel(f"share ({found.unit})")

    def _draw_cell(self, ax: Axes, row: int, name: str) -> None:
        import matplotlib as mpl

        weights = self.explanation.parts[row].get(name)
        if weights is None:
            ax.set_axis_off()
            return
        limit = weights.largest or 1.0
        weights.draw(ax, limit)
        if len(self.explanation.columns) > 1:
            ax.set_title(name, fontsize=9, parse_math=False)
        colours = mpl.cm.ScalarMappable(mpl.colors.Normalize(-limit, limit), WEIGHT_COLOURS)
        bar = ax.figure.colorbar(colours, ax=ax, fraction=0.04, pad=0.02, ticks=[-limit, 0, limit])
        bar.ax.set_yticklabels([f"{tick:+.2g}" for tick in (-limit, 0, limit)], fontsize=8)
