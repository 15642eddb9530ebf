"""A map of rows as one HTML file."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sktransfer.inspection._previews import preview_html

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
body {{ font: 14px sans-serif; margin: 1em; max-width: 1000px; color: #222; background: #fff; }}
.map {{ position: relative; width: 100%; aspect-ratio: 1; border: 1px solid #ccc; }}
.map div {{ position: absolute; width: 10px; height: 10px; margin: -5px; border-radius: 50%; }}
.map div:hover, .map div:focus {{ z-index: 1; outline: 2px solid #222; }}
.map span {{ display: none; position: absolute; top: 14px; background: #fff; color: #222;
  border: 1px solid #888; padding: 4px; width: max-content; max-width: 220px; }}
.map div:hover span, .map div:focus span {{ display: block; }}
.left span {{ left: 0; }} .right span {{ right: 0; }}
ul {{ padding: 0; }} li {{ display: inline-block; margin-right: 1em; }}
li::before {{ content: "\\25A0 "; color: var(--colour); }}
</style></head><body><h1>{title}</h1>
<ul>{names}</ul>
<div class="map">
{rows}
</div></body></html>
"""


def map_page(
    title: str,
    places: np.ndarray,
    classes: Iterable[Any] | None,
    colours: np.ndarray,
    previews: Sequence[np.ndarray | str] | None,
    names: Mapping[Any, np.ndarray],
) -> str:
    """Return the page: a dot per row, which shows class and preview while the pointer is on it.

    Parameters
    ----------
    title : str
        Heading.
    places : ndarray of shape (n, 2)
        In the unit square, from the lower left corner.
    classes : iterable of n values, optional
        Class of each row.
    colours : ndarray of shape (n, 3)
        Colour of each row.
    previews : sequence of n ndarray or str, optional
        What is shown of each row.
    names : mapping
        Colour of each class.
    """
    labels = [""] * len(places) if classes is None else [html.escape(str(c)) for c in classes]
    rows = []
    for row, ((x, y), colour) in enumerate(zip(places.tolist(), colours, strict=True)):
        shown = "" if previews is None else preview_html(previews[row])
        style = f"left:{2 + 96 * x:.2f}%;top:{98 - 96 * y:.2f}%;background:{_css(colour)}"
        side = "left" if x < 0.6 else "right"
        text = f"<b>{labels[row]}</b> row {row}<br>{shown}"
        rows.append(f'<div tabindex="0" class="{side}" style="{style}"><span>{text}</span></div>')
    legend = [
        f'<li style="--colour:{_css(colour)}">{html.escape(str(name))}</li>'
        for name, colour in names.items()
    ]
    heading = html.escape(title or "Map of features")
    return _PAGE.format(title=heading, names="".join(legend), rows="\n".join(rows))


def _css(colour: np.ndarray) -> str:
    return "#" + "".join(f"{round(255 * value):02x}" for value in colour)
