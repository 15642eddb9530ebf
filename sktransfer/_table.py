"""Records that print as a table."""

from __future__ import annotations

from typing import Any

# Smaller numbers would lose their second digit.
_SMALL = 0.01


class Table(list[dict[str, Any]]):
    """A list of dicts with the same keys that prints as aligned text; None prints as "?"."""

    def __repr__(self) -> str:
        """Return the table as aligned text."""
        if not self:
            return "[]"
        lines = [[name.replace("_", " ") for name in self[0]]]
        lines += [[_text(value) for value in row.values()] for row in self]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


def _text(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2g}" if 0 < abs(value) < _SMALL else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
