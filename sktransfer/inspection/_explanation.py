"""What an explanation holds, and how it prints."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from sktransfer._public import public
from sktransfer._table import Table
from sktransfer.modalities import Weighted, css_colour

# By name: it imports this module.
_DISPLAY = "sktransfer.inspection:ExplanationDisplay"
# Rows that are printed and drawn.
_MOST_ROWS = 8
_PAGE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Explanation</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">{}</html>'
)
_BOX = (
    "background:#fff;color:#111;font:14px/1.4 system-ui,sans-serif;max-width:760px;margin:8px 0;"
    "padding:10px 14px;border:1px solid #ccc;border-radius:6px"
)


@public
@dataclass(eq=False, repr=False)
class Explanation:
    """What a model went by, per row.

    Use `explain` to create one.

    Parameters
    ----------
    columns : list of str
        Names of the columns; "0" of a single one without a name.
    shares : ndarray of shape (n, n_columns)
        How much lower the output is without the cell of a column. NaN where it is not known.
    parts : list of dict
        Per row, by column, the weights of the parts of a cell: of an image an object whose
        ``np.asarray`` is a heat map (H, W) at the image's size; of a text a list of (start, end,
        word, weight), counted in characters; of a sound a list of (start, end, weight), in seconds.
    output : ndarray of shape (n,)
        What the model says of the target.
    baseline : ndarray of shape (n,)
        The same of rows without any cell of their own, on average.
    target : list or None
        Class or label that is explained, per row; None of numbers.
    unit : {"probability", "score", "prediction"}
        What outputs, shares and weights are.
    cells : list of list of str
        By column, a short description of each cell.
    rows : list of str
        What each row is called, such as "row 0".

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktransfer import TextEmbedder, explain
    >>> model = make_pipeline(TextEmbedder(cache=False), LogisticRegression())
    >>> found = explain(model.fit(["good", "bad"], [1, 0]), ["good", "bad"])
    >>> found.target, found.shares.shape, found.unit
    ([1, 0], (2, 1), 'probability')
    """

    columns: list[str]
    shares: np.ndarray
    parts: list[dict[str, Weighted]]
    output: np.ndarray
    baseline: np.ndarray
    target: list[Any] | None
    unit: str
    cells: list[list[str]]
    rows: list[str]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.output)

    def to_table(self) -> Table:
        """Return all shares and weights but those of pixels: ``pandas.DataFrame(x.to_table())``.

        Returns
        -------
        list of dict
            Prints as a table. `part` is empty for a column, else a word or seconds.
        """
        return Table(
            {"row": row, "column": column, "part": part, "weight": weight}
            for row in range(len(self))
            for column, part, weight in self._entries(row)
        )

    def plot(self) -> Any:
        """Draw the first rows, eight at most.

        Returns
        -------
        ExplanationDisplay
        """
        return resolve_name(_DISPLAY)(self).plot()

    def to_html(self, path: str | PathLike | None = None) -> str:
        """Return the explanation of all rows as a page of HTML that needs no other file.

        Parameters
        ----------
        path : str or path-like, optional
            File to write it to as well.

        Returns
        -------
        str
        """
        page = _PAGE.format("".join(self._row_html(row) for row in range(len(self))))
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def title(self, row: int) -> str:
        """Return what the model says of a row.

        Parameters
        ----------
        row : int
            Position of the row.

        Returns
        -------
        str
        """
        what = self.unit if self.target is None else f"{self.unit} of {self.target[row]!r}"
        return f"{self.rows[row]}: {what} {self.output[row]:.3f}, baseline {self.baseline[row]:.3f}"

    def order(self, row: int) -> list[int]:
        """Return the columns, those of the largest shares first.

        Parameters
        ----------
        row : int
            Position of the row.

        Returns
        -------
        list of int
        """
        return np.argsort(-np.nan_to_num(np.abs(self.shares[row]), nan=-1), kind="stable").tolist()

    def label(self, row: int, column: int) -> str:
        """Return the name of a column, and its cell if that has no parts.

        Parameters
        ----------
        row, column : int
            Positions of the row and the column.

        Returns
        -------
        str
        """
        value = self._value(row, column)
        return f"{self.columns[column]} = {value[:24]}" if value else self.columns[column]

    def __repr__(self) -> str:
        lines = [line for row in range(min(len(self), _MOST_ROWS)) for line in self._lines(row)]
        if len(self) > _MOST_ROWS:
            lines.append(f"... and {len(self) - _MOST_ROWS} more rows")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        shown = "".join(self._row_html(row) for row in range(min(len(self), _MOST_ROWS)))
        more = len(self) - _MOST_ROWS
        return shown + (f"<p>and {more} more rows: to_html() has all</p>" if more > 0 else "")

    def _lines(self, row: int) -> Iterator[str]:
        yield self.title(row)
        width = max(map(len, self.columns))
        for column in self.order(row):
            name, weights = self.columns[column], self.parts[row].get(self.columns[column])
            text = weights.describe() if weights is not None else self.cells[column][row]
            yield f"  {name.ljust(width)}  {self.shares[row, column]:+.3f}  {text}"

    def _entries(self, row: int) -> Iterator[tuple[str, str, float]]:
        for name, share in zip(self.columns, self.shares[row].tolist(), strict=True):
            yield name, "", share
            if name in self.parts[row]:
                yield from ((name, *entry) for entry in self.parts[row][name].entries())

    def _row_html(self, row: int) -> str:
        largest = float(np.nan_to_num(np.abs(self.shares[row])).max()) or 1.0
        lines = "".join(self._bar_html(row, column, largest) for column in self.order(row))
        cells = "".join(
            f"<h4 style='margin:10px 0 4px'>{html.escape(name)} "
            f"<small style='font-weight:400'>deepest colours: ±{weights.largest:.3g}; "
            "red speaks for it, blue against it</small></h4>"
            + weights.to_html(weights.largest or 1.0)
            for name, weights in self.parts[row].items()
        )
        title = f"<strong>{html.escape(self.title(row))}</strong>"
        table = f'<table style="border-collapse:collapse;margin-top:6px;width:100%">{lines}</table>'
        return f'<div style="{_BOX}">{title}{table}{cells}</div>'

    def _bar_html(self, row: int, column: int, largest: float) -> str:
        share = self.shares[row, column]
        width = 0 if np.isnan(share) else 100 * abs(share) / largest
        colour = css_colour(share, largest / 2)
        bar = f'<div style="background:{colour};width:{width:.0f}%;height:12px"></div>'
        style = "padding:1px 8px 1px 0;text-align:left;border:0"
        return (
            f'<tr style="background:none">'
            f'<td style="{style}">{html.escape(self.columns[column])}</td>'
            f'<td style="{style};overflow-wrap:anywhere;color:#555">'
            f"{html.escape(self._value(row, column))}</td>"
            f'<td style="{style};font-variant-numeric:tabular-nums">{share:+.3f}</td>'
            f'<td style="{style};width:40%">{bar}</td></tr>'
        )

    def _value(self, row: int, column: int) -> str:
        return "" if self.columns[column] in self.parts[row] else self.cells[column][row]


def shown_rows(explanation: Explanation) -> Sequence[int]:
    """Return the rows that are drawn."""
    return range(min(len(explanation), _MOST_ROWS))
