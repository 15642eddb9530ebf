"""Cells that cannot be used: refused by name, or left NaN and told of."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TypeVar

from sktransfer.cells import Column
from sktransfer.exceptions import BadCellError, BadCellWarning

Found = TypeVar("Found")

_MOST_NAMED = 5


class Failures:
    """What `on_error` does about bad cells.

    Parameters
    ----------
    column : Column
        Knows how its rows are named.
    on_error : {"raise", "nan"}
        Whether the first bad cell ends the work, or its row stays NaN.
    """

    def __init__(self, column: Column, on_error: str) -> None:
        self._column = column
        self._on_error = on_error
        self._errors: dict[int, BadCellError] = {}

    @property
    def may_raise(self) -> bool:
        """Whether a bad cell ends the work."""
        return self._on_error == "raise"

    def add(self, row: int, error: BadCellError) -> None:
        """Note that a row cannot be computed, or raise its error with the row's name."""
        if self.may_raise:
            message = f"{self._column.where(row)}: {error}"
            advice = " To go on without such rows, set on_error='nan'."
            raise BadCellError(message + advice, row=row) from error
        self._errors[row] = error

    def sift(self, found: Iterable[Found | BadCellError]) -> list[Found | None]:
        """Return what was found of each row, None in the place of an error, which is noted."""
        kept: list[Found | None] = []
        for row, one in enumerate(found):
            if isinstance(one, BadCellError):
                self.add(row, one)
                kept.append(None)
            else:
                kept.append(one)
        return kept

    def usable(self, digests: Sequence[bytes | None]) -> list[int]:
        """Return the rows whose cells are to be computed and have not failed, copies neither."""
        failed = {None, *(digests[row] for row in self._errors)}
        return [row for row, digest in enumerate(digests) if digest not in failed]

    def warn(self, digests: Sequence[bytes | None], done: str = "filled with NaN") -> None:
        """Warn of the rows that cannot be used, copies of a bad cell among them.

        Parameters
        ----------
        digests : sequence of bytes or None
            Content of each cell.
        done : str
            What became of such rows.
        """
        if not self._errors:
            return
        by_digest = {digests[row]: error for row, error in self._errors.items() if digests[row]}
        errors = {
            row: self._errors.get(row) or by_digest[digest]
            for row, digest in enumerate(digests)
            if row in self._errors or digest in by_digest
        }
        told = [f"{self._column.where(row)}: {errors[row]}" for row in list(errors)[:_MOST_NAMED]]
        rest = len(errors) - len(told)
        warnings.warn(
            f"{len(errors)} of {len(digests)} rows are {done}, because their cells "
            f"cannot be used. {' '.join(told)}{f' And {rest} more.' if rest else ''}",
            BadCellWarning,
            stacklevel=4,
        )
