"""Which modality the cells of a column are of."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from sktransfer.columns import CellType, Column, as_column, describe, is_missing
from sktransfer.exceptions import BadCellError, ColumnError
from sktransfer.modalities._files import open_file
from sktransfer.modalities._registered import MODALITIES, modality_of

# Cells that are looked at, and bytes of each that is a file.
_CELLS, _BYTES = 32, 4096


class Recognized(NamedTuple):
    """The modality of a column.

    Attributes
    ----------
    name : str or None
        As in `MODALITIES`; None if the cells are of none, or of several.
    reason : str
        Why there is no name; else empty.
    """

    name: str | None
    reason: str = ""


def recognize(X: Any) -> Recognized:
    """Return the modality that more than half of the cells of a column are of.

    Up to 32 cells are looked at, evenly spaced over the column; missing ones are skipped. A path
    counts by the content of its file, a string that is neither a file nor named like one is text.

    Parameters
    ----------
    X : column of n cells
        In any container; an array of three axes or more holds one cell per row.

    Examples
    --------
    >>> recognize(["a text", None, "another"]).name
    'text'
    >>> recognize([1.5, 2.5]).reason
    'row 0 is the number 1.5, not a text, sound or image; choose another column'
    """
    try:
        column = as_column(X, _AnyCells())
    except ColumnError as error:
        return Recognized(None, str(error))
    found = {row: _modality_of_cell(column.cells[row]) for row in _some_rows(column)}
    if not found:
        return Recognized(None, "all cells are missing")
    name, votes = Counter(found.values()).most_common(1)[0]
    if name is not None and 2 * votes > len(found):
        return Recognized(name)
    return Recognized(None, _disagreement(column, found))


def required_modality(X: Any, advice: str) -> str:
    """Return the name of the modality of a column, or raise `ColumnError` with an advice."""
    found = recognize(X)
    if found.name is None:
        raise ColumnError(f"The kind of cells in X cannot be recognized: {found.reason}. {advice}")
    return found.name


class _AnyCells(CellType):
    """Cells that may be anything."""

    noun = "text, sound or image"

    def cells_of_array(self, X: np.ndarray) -> tuple[Any, int] | None:
        """Return the rows of an array of several axes."""
        return (X, 1) if X.ndim > 2 else None


def _some_rows(column: Column) -> list[int]:
    """Return some rows that are not missing, in order."""
    n = len(column.cells)
    spread = np.linspace(0, n - 1, min(n, _CELLS)).astype(int).tolist()
    rows = (row for row in dict.fromkeys([*spread, *range(n)]) if not is_missing(column.cells[row]))
    return sorted(islice(rows, _CELLS))


def _modality_of_cell(cell: object) -> str | None:
    start = _start_of(cell)
    return next((name for name in MODALITIES if modality_of(name).claims(cell, start)), None)


def _start_of(cell: Any) -> bytes | None:
    """Return the first bytes of a file, given its path or content; None if there is none."""
    if isinstance(cell, dict):
        return _start_of(cell.get("path") if cell.get("bytes") is None else cell["bytes"])
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return bytes(cell[:_BYTES])
    if not isinstance(cell, (str, os.PathLike)):
        return None
    try:
        with open_file(os.fsdecode(cell), None) as file:
            return file.read(_BYTES)
    except (BadCellError, TypeError, ValueError):  # of a PathLike that returns something else
        return None


def _disagreement(column: Column, found: dict[int, str | None]) -> str:
    """Return the first cell of each modality, and of none."""
    first = {name: row for row, name in reversed(found.items())}
    counts = Counter(found.values())
    parts = [
        f"{counts[name]} of no known kind ({column.where(row)}: {describe(column.cells[row])})"
        if name is None
        else f"{counts[name]} {modality_of(name).noun}s ({column.where(row)}: "
        f"{describe(column.cells[row])})"
        for name, row in sorted(first.items(), key=lambda item: item[1])
    ]
    return f"of {len(found)} cells looked at, there are {', '.join(parts)}"
