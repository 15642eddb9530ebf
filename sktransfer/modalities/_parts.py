"""Parts of a cell that can be left out, and what they weigh: a modality brings its own."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Where a part begins and ends, along each axis of the cell.
Part: TypeAlias = tuple[int, ...]


class Parts(ABC):
    """A cell, whose parts can be left out.

    Attributes
    ----------
    whole : tuple of int
        The part that is all of the cell.
    keeps_form : bool
        Whether `without(None)` is the cell as it is given.
    """

    whole: Part
    keeps_form: bool = False

    @abstractmethod
    def split(self, part: Part, most: int) -> list[Part]:
        """Return parts of a part, in order.

        Parameters
        ----------
        part : tuple of int
            `whole`, or one that this method has returned.
        most : int
            Their number at most, at least 1.

        Returns
        -------
        list of tuple of int
            At most one of them if the part cannot be split. They may overlap.
        """

    @abstractmethod
    def without(self, part: Part | None) -> Any:
        """Return the cell with a part left out, so that the rest stays where it is.

        Parameters
        ----------
        part : tuple of int or None
            None: nothing is left out. The cell may have another form than it was given in.

        Returns
        -------
        object
            A cell that the estimators of the modality accept, also if all is left out.
        """

    @abstractmethod
    def weighted(self, parts: Sequence[Part], weights: Sequence[float]) -> Weighted:
        """Return parts with their weights."""


class Weighted(ABC):
    """A cell with weights of its parts."""

    @property
    @abstractmethod
    def largest(self) -> float:
        """Largest absolute weight; 0 if there is none."""

    @abstractmethod
    def entries(self) -> list[tuple[str, float]]:
        """Return names and weights of the parts that have names."""

    @abstractmethod
    def describe(self) -> str:
        """Return the parts of the largest weights, on a short line."""

    @abstractmethod
    def draw(self, ax: Axes, limit: float) -> None:
        """Draw the cell in colours of `WEIGHT_COLOURS`, which end at the weights -limit and limit.

        Parameters
        ----------
        ax : matplotlib Axes
            Is drawn on.
        limit : float
            Above 0.
        """

    @abstractmethod
    def to_html(self, limit: float) -> str:
        """Return the same as an element of HTML that needs no other file."""


#: Name of matplotlib's colours of weights: blue below 0, white, red above.
WEIGHT_COLOURS = "RdBu_r"
# Ends of these colours.
_RED, _BLUE = (178, 24, 43), (33, 102, 172)
# Black text stays readable on this share of them.
_MOST_COLOUR = 0.55


def css_colour(weight: float, limit: float) -> str:
    """Return the colour of a weight on white, on which black text can be read; white of NaN."""
    share = _MOST_COLOUR * min(abs(weight) / limit, 1.0) if weight == weight else 0.0
    end = _RED if weight > 0 else _BLUE
    red, green, blue = (round(255 + share * (value - 255)) for value in end)
    return f"#{red:02x}{green:02x}{blue:02x}"


def png_uri(content: bytes) -> str:
    """Return a PNG file as a data URI, for pages that need no other file."""
    return "data:image/png;base64," + base64.b64encode(content).decode()
