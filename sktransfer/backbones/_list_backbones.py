"""Table of backbones, as `list_backbones` returns it."""

from __future__ import annotations

from html import escape
from typing import Any

COLUMNS = (
    "name",
    "source",
    "modality",
    "parameters",
    "feature_size",
    "input_size",
    "licence",
    "on_this_machine",
)


class BackboneTable(list[dict[str, Any]]):
    """A list of dicts that prints as a table in a terminal and in a notebook."""

    def __repr__(self) -> str:
        """Return the table as aligned text."""
        lines = [[name.replace("_", " ") for name in COLUMNS], *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>"
            for line in self._cells()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cells(self) -> list[list[str]]:
        return [[_text(row[name]) for name in COLUMNS] for row in self]


def row(**values: Any) -> dict[str, Any]:
    """Return one row of the table; its sizes are None where they are not given."""
    values = {"parameters": None, "feature_size": None, **values}
    return {name: values[name] for name in COLUMNS}


def _text(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
