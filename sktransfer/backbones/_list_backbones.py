"""Table of backbones, as `list_backbones` returns it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
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
    """A list of dicts that prints as a table; what a source does not state is None."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        super().__init__({name: row.get(name) for name in COLUMNS} for row in rows)

    def __repr__(self) -> str:
        """Return the table as aligned text."""
        lines = [[name.replace("_", " ") for name in COLUMNS]]
        lines += [[_text(value) for value in row.values()] for row in self]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


def near_names(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name."""
    near = difflib.get_close_matches(name, known, n=2)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else "."


def _text(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
