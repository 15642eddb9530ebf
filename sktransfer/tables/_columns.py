"""What each column of a table is: recognized by its data type and its cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sktransfer._warnings import warn
from sktransfer.columns import (
    Rows,
    Values,
    is_missing,
    numbers_of,
    seconds_of,
    values_of,
)
from sktransfer.exceptions import LeftOutWarning
from sktransfer.modalities import recognize

#: A column of strings is of categories with at most this many distinct values, if each of them
#: occurs twice on average.
FEW_VALUES = 40
#: It is so too with more distinct values that occur so often on average.
OFTEN = 10
#: Share of strings that must be numbers, dates or codes in a column of such.
MOST = 0.95

#: Kinds of columns besides the modalities. Those of "drop" and "unknown" are not used.
NUMBER, CATEGORY, DATE, DROP, UNKNOWN = "number", "category", "date", "drop", "unknown"
#: The modality of strings.
TEXT = recognize(["a text"]).name

#: Why a column without values is not used.
ALL_MISSING = "all cells are missing"

# A number with leading zeros is a code, such as a postal one.
_NUMBER = re.compile(r"\s*[-+]?(0|[1-9]\d*)?(\.\d*)?([eE][-+]?\d+)?\s*")
_DATE = re.compile(r"\s*\d{4}([-/])\d{2}(\1\d{2}([T ]\d{2}:\d{2}.*)?)?\s*")
# Not of other alphabets: some of them write sentences without spaces.
_CODE = re.compile(r"(?=.*\d)[\w:#.+-]+", re.ASCII)


@dataclass(frozen=True)
class TableColumn:
    """What a column of a table is.

    Attributes
    ----------
    name : str
        Its name; its position where there is none.
    kind : str
        A modality, "number", "category", "date", "drop" or "unknown".
    why : str
        By what it was recognized, for people.
    """

    name: str
    kind: str
    why: str


def recognize_columns(rows: Rows) -> list[TableColumn]:
    """Return what each column of a table is.

    Parameters
    ----------
    rows : Rows
        Of a table, from `rows_of`.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.columns import rows_of
    >>> table = np.array([["a good film", 1.5], ["a bad one", 2]], dtype=object)
    >>> [column.kind for column in recognize_columns(rows_of(table))]
    ['text', 'number']
    """
    found = [recognize_values(values_of(rows.column(n))) for n in range(len(rows.names))]
    return [TableColumn(name, *kind) for name, kind in zip(rows.names, found, strict=True)]


def recognize_values(values: Values) -> tuple[str, str]:
    """Return the kind of a column, and why."""
    present = [cell for cell in values.cells if not is_missing(cell)]
    if not present:
        return DROP, ALL_MISSING
    found = _of_kind(values.kind, present)
    is_constant = found[0] in (NUMBER, CATEGORY, DATE) and len(set(present)) == 1
    if is_constant and len(present) == len(values.cells) > 1:
        return DROP, "all cells are the same"
    return found


def warn_of_unknown(columns: Sequence[TableColumn], parameter: str = "columns") -> None:
    """Warn of columns of no known kind; the parameter can say what to do with them."""
    unknown = [column for column in columns if column.kind == UNKNOWN]
    if unknown:
        reasons = "; ".join(f"{column.name!r}: {column.why}" for column in unknown[:3])
        what = "a transformer, a kind or 'drop'" if parameter == "columns" else "an estimator"
        warn(
            f"columns of no known kind are not used ({reasons}). Name {what} for each in "
            f"`{parameter}`.",
            LeftOutWarning,
        )


def _of_kind(kind: str, present: Sequence[Any]) -> tuple[str, str]:
    if kind in ("number", "boolean", "duration"):
        return NUMBER, f"{kind}s"
    if kind == "date":
        return DATE, "dates"
    if kind == "category":
        return CATEGORY, f"data type of categories, {_counted(present)}"
    if kind == "mixed":
        present = [str(cell) for cell in present]
    elif kind != "string":
        return _of_modality(present)
    return _of_strings(present)


def _of_modality(present: Sequence[Any]) -> tuple[str, str]:
    name, reason = recognize(present)
    return (UNKNOWN, reason) if name is None else (name, f"{name} in most cells looked at")


def _of_strings(present: Sequence[str]) -> tuple[str, str]:
    name, _ = found = _of_modality(present)
    if name != TEXT:
        return found
    if _share(present, _NUMBER) >= MOST and _reads(numbers_of, present):
        return NUMBER, "strings of numbers"
    if _share(present, _DATE) >= MOST and _reads(seconds_of, present):
        return DATE, "strings of dates"
    n, distinct = len(present), len(set(present))
    if (distinct <= FEW_VALUES and 2 * distinct <= n) or OFTEN * distinct <= n:
        return CATEGORY, f"strings, {_counted(present)}"
    if _share(present, _CODE) >= MOST:
        if distinct >= MOST * n:
            return DROP, "codes, nearly all different"
        return CATEGORY, f"codes, {_counted(present)}"
    return name, f"strings, {_counted(present)}"


def _counted(present: Sequence[Any]) -> str:
    return f"{len(set(present)):,} different in {len(present):,} cells"


def _share(strings: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(map(bool, map(pattern.fullmatch, strings))) / len(strings)


def _reads(convert: Any, strings: Sequence[str]) -> bool:
    return len(convert(strings)[1]) <= (1 - MOST) * len(strings)
