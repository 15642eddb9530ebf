"""HTML of a report: sections, tables and figures in one file."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from sktransfer._table import Table, cell_text
from sktransfer.modalities import png_uri

_TEMPLATE = Path(__file__).with_name("report.html")


def page(title: str, sections: Sequence[tuple[str, str]]) -> str:
    """Return a page of sections: their headings, and their HTML."""
    links = "\n".join(
        f'<li><a href="#s{n}">{html.escape(heading)}</a></li>'
        for n, (heading, _) in enumerate(sections)
    )
    parts = "\n".join(
        f'<section id="s{n}"><h2>{html.escape(heading)}</h2>\n{content}\n</section>'
        for n, (heading, content) in enumerate(sections)
    )
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(title=html.escape(title), links=links, sections=parts)


def paragraph(text: str) -> str:
    """Return an escaped paragraph."""
    return f"<p>{html.escape(text)}</p>"


def code(text: str) -> str:
    """Return an escaped block of code."""
    return f"<pre>{html.escape(text)}</pre>"


def table(records: Table, most: int) -> str:
    """Return the first records as a table; it says how many more there are."""
    if not records:
        return paragraph("None.")
    head = "".join(f'<th scope="col">{html.escape(_title(name))}</th>' for name in records[0])
    body = "\n".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in records[:most])
    more = len(records) - most
    rest = paragraph(f"{more:,} more rows are not shown.") if more > 0 else ""
    return (
        '<div class="wide" role="region" tabindex="0" aria-label="Table"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>{rest}"
    )


def figure(display_figure: Any, alt: str) -> str:
    """Return a matplotlib figure as an image in the page, and close it."""
    import matplotlib.pyplot as plt

    stream = io.BytesIO()
    display_figure.savefig(stream, format="png", dpi=130, bbox_inches="tight")
    plt.close(display_figure)
    source = png_uri(stream.getvalue())
    return f'<figure tabindex="0"><img alt="{html.escape(alt)}" src="{source}"></figure>'


def _title(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: Any) -> str:
    return f"<td>{html.escape(cell_text(value))}</td>"
