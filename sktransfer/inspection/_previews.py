"""Previews of cells, as `Modality.preview` returns them, in plots and in HTML."""

from __future__ import annotations

import html
import io
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.modalities import modality_of, png_uri, recognize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Characters of a line, and lines of a text in a plot.
_LINE, _LINES = 18, 5


def row_previews(
    X: Any, rows: Iterable[int], n: int, modality: Any = None
) -> list[np.ndarray | str] | None:
    """Return previews of some rows; None if X is no column of cells of a known kind.

    Parameters
    ----------
    X : column of n cells
        In any container.
    rows : iterable of int
        Positions.
    n : int
        Number of rows that it must have.
    modality : Modality, optional
        Reads the cells; by default it is recognized from them.
    """
    if modality is None:
        name = recognize(X).name
        if name is None:
            return None
        modality = modality_of(name)()
    cells = modality.column(X).cells
    if len(cells) != n:
        raise ValueError(f"There are {len(cells)} cells for {n} rows.")
    return [modality.preview(cells[row]) for row in rows]


def draw_preview(ax: Axes, preview: np.ndarray | str) -> None:
    """Draw a picture, or a text in several lines, into axes without ticks."""
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    if isinstance(preview, str):
        # A "$" in a text is no formula.
        style = {"ha": "center", "va": "center", "fontsize": "x-small", "parse_math": False}
        ax.text(0.5, 0.5, wrapped(preview), transform=ax.transAxes, **style)  # type: ignore[arg-type]
    else:
        ax.imshow(preview)


def wrapped(text: str) -> str:
    """Return a text in a few short lines."""
    return "\n".join(textwrap.wrap(text, _LINE, max_lines=_LINES, placeholder=" …"))


def preview_html(preview: np.ndarray | str) -> str:
    """Return an escaped text, or an ``<img>`` element that contains its PNG file."""
    if isinstance(preview, str):
        return html.escape(preview)
    return f'<img alt="" src="{data_uri(preview)}">'


def data_uri(picture: np.ndarray) -> str:
    """Return a picture (H, W, 3), uint8, as a PNG file in a data URI."""
    from matplotlib.image import imsave

    stream = io.BytesIO()
    imsave(stream, picture, format="png")
    return png_uri(stream.getvalue())
