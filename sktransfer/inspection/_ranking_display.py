"""Scores of backbones against their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sktransfer.inspection._axes import Display, axes_or_new, legend_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

# Places of a label around its point, in points, and how the text is aligned there.
_PLACES = [(6, 4, "left"), (-6, 4, "right"), (6, -10, "left"), (-6, -10, "right"), (0, 9, "center")]
# Least distance between two labels, and size of a marker, in pixels.
_GAP, _MARKER = 2, 6
# Colours of backbones before they repeat.
_COLOURS = 10


@dataclass(eq=False, repr=False)
class RankingDisplay(Display):
    """Scores of backbones and layers against the time per row, as `rank_backbones` returns them.

    Parameters
    ----------
    rows : list of dict
        Rows of the table; those without a score are not drawn.
    score_name : str
        Label of the scores.

    Attributes
    ----------
    ax_ : matplotlib Axes
        One line per backbone, from its first layer to the last, with bars of one standard error.
    figure_ : matplotlib Figure
        Figure of the axes.
    labels_ : list of matplotlib Annotation
        Names of layers. Those that would cover another one or a point are left out; the best are
        placed first.
    """

    rows: Sequence[Mapping[str, Any]]
    score_name: str

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.

        Returns
        -------
        self
        """
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        drawn = [row for row in self.rows if np.isfinite(row["score"])]
        names = dict.fromkeys(row["backbone"] for row in drawn)
        colours = {name: f"C{number % _COLOURS}" for number, name in enumerate(names)}
        for name, colour in colours.items():
            own = [row for row in drawn if row["backbone"] == name]
            self._draw(name, sorted(own, key=lambda row: row["seconds_per_row"]), colour)
        self.ax_.set(xlabel="milliseconds per row", ylabel=self.score_name)
        self._scale([row["seconds_per_row"] for row in drawn])
        if drawn:
            below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}
            legend_of(self.ax_, self.ax_.containers, colours, **below)
        self._label(drawn, colours)
        return self

    def _draw(self, name: str, rows: Sequence[Mapping[str, Any]], colour: str) -> None:
        columns = ("seconds_per_row", "score", "std_error")
        seconds, scores, errors = np.array([[row[key] for key in columns] for row in rows]).T
        bars = None if np.isnan(errors).all() else errors
        style: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1, "color": colour}
        style |= {"elinewidth": 0.7, "capsize": 2, "label": name}
        self.ax_.errorbar(1e3 * seconds, scores, bars, **style)

    def _scale(self, seconds: Sequence[float]) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        if seconds and max(seconds) > 5 * min(seconds) > 0:
            self.ax_.set_xscale("log")
            self.ax_.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            self.ax_.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
            self.ax_.xaxis.set_minor_formatter(NullFormatter())

    def _label(self, rows: Sequence[Mapping[str, Any]], colours: Mapping[str, str]) -> None:
        self.ax_.margins(0.08)
        self.figure_.draw_without_rendering()  # moves the axes to their place
        points = [(1e3 * row["seconds_per_row"], row["score"]) for row in rows]
        marks = [_around(self.ax_.transData.transform(point)) for point in points]
        self.labels_: list[Any] = []
        for row, point in zip(rows, points, strict=True):
            label = self._placed(str(row["layer"]), point, marks)
            if label is not None:
                label.set_color(colours[row["backbone"]])
                self.labels_.append(label)
                marks.append(label.get_window_extent().padded(_GAP))

    def _placed(self, text: str, point: tuple[float, float], taken: Sequence[Bbox]) -> Any:
        """Return a label where it covers nothing, or None."""
        for x, y, align in _PLACES:
            label = self.ax_.annotate(
                text, point, (x, y), textcoords="offset points", ha=align, fontsize="x-small"
            )
            label.set_in_layout(False)
            extent = label.get_window_extent()
            inside = self.ax_.bbox.contains(*extent.min) and self.ax_.bbox.contains(*extent.max)
            if inside and not any(extent.overlaps(other) for other in taken):
                return label
            label.remove()
        return None


def _around(place: np.ndarray) -> Bbox:
    """Return the box of a marker."""
    from matplotlib.transforms import Bbox

    return Bbox([place - _MARKER / 2, place + _MARKER / 2])
