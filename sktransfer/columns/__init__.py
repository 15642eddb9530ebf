"""Containers of one column: lists, arrays, Series and frames of any library."""

from sktransfer.columns._as_column import as_column
from sktransfer.columns._cells import describe, is_missing, name_cell
from sktransfer.columns._column import CellType, Column

__all__ = [
    "CellType",
    "Column",
    "as_column",
    "describe",
    "is_missing",
    "name_cell",
]
