"""Colours, axes and notebook output shared by all displays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Characters of a name in a title, of an axis or in a legend.
_NAME = 28
TRAIN, VALID, SCORE = "tab:blue", "tab:orange", "tab:green"


def axes_or_new(ax: Axes | None) -> Axes:
    """Return `ax`, or the axes of a new figure if it is None, styled for displays."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib: pip install 'sktransfer[demo]', or pip install matplotlib."
        ) from error
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def clipped(name: Any) -> str:
    """Return a name on one line, cut to the length that titles and axes have room for."""
    text = " ".join(str(name).split())
    return text if len(text) <= _NAME else text[: _NAME - 1] + "…"


def legend_of(ax: Axes, marks: Iterable[Any], names: Iterable[Any], **where: Any) -> None:
    """Add a legend of any names: to matplotlib's own, "$" is a formula and "_" hides a name."""
    names = [clipped(name) for name in names]
    places = [str(place) for place in range(len(names))]
    texts = ax.legend([*marks], places, frameon=False, **where).get_texts()
    for text, name in zip(texts, names, strict=True):
        text.set(text=name, parse_math=False)


class Display:
    """Base class of displays: a notebook that shows the figure does not show the repr too."""

    figure_: Any

    def _ipython_display_(self) -> None:
        """Show nothing, or let IPython show the repr where no figure is about to be shown."""
        number = getattr(getattr(self, "figure_", None), "number", None)
        # A notebook closes figures after the cell that shows them.
        if number is None or not _is_open(number):
            raise NotImplementedError  # by which IPython asks for the repr


def _is_open(number: int) -> bool:
    import matplotlib.pyplot as plt

    return plt.fignum_exists(number)
