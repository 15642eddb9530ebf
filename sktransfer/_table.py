"""Records that print as a table."""

from __future__ import annotations

from typing import Any, Self, SupportsIndex, overload

# Smaller numbers would lose their second digit.
_SMALL = 0.01


class Table(list[dict[str, Any]]):
    """A list of dicts with the same keys that prints as aligned text; None prints as "?".

    A slice is a table. Of a long table only the first rows are printed.
    """

    @overload
    def __getitem__(self, key: SupportsIndex) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: Any) -> Any:
        """Return a row, or a table of some rows."""
        found = super().__getitem__(key)
        if not isinstance(key, slice):
            return found
        table = type(self).__new__(type(self))  # whose parameters are in its attributes
        table.extend(found)
        vars(table).update(vars(self))
        return table

    def __repr__(self) -> str:
        """Return the table as aligned text."""
        if not self:
            return "[]"
        shown = self if len(self) <= _LONGEST else self[:_FIRST]
        lines = [[name.replace("_", " ") for name in self[0]]]
        lines += [[cell_text(value) for value in row.values()] for row in shown]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        more = len(self) - len(shown)
        return "\n".join(text + [f"... and {more:,} more rows"] * bool(more))


# Tables of more rows are printed in part.
_LONGEST, _FIRST = 100, 20


def cell_text(value: Any) -> str:
    """Return a value as it is printed in a table."""
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2g}" if 0 < abs(value) < _SMALL else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
