"""Table of backbones, as `list_backbones` returns it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from sktransfer._table import Table

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


class BackboneTable(Table):
    """One row per backbone; what a source does not state is None."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        super().__init__({name: row.get(name) for name in COLUMNS} for row in rows)


def near_names(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name."""
    near = difflib.get_close_matches(name, known, n=2)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
