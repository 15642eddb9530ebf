"""Bad cells: an error that names the row, or NaN and a warning."""

from __future__ import annotations

from collections.abc import Sequence

from sktransfer._warnings import warn
from sktransfer.cache import FeatureCache
from sktransfer.columns import Column, is_missing
from sktransfer.exceptions import BadCellError, BadCellWarning
from sktransfer.modalities import DigestedCells, Modality

_MOST_NAMED = 5


class CellErrors:
    """Collects the errors of bad cells by the parameter `on_error`.

    Parameters
    ----------
    column : Column
        Names its rows.
    on_error : {"raise", "nan"}
        Whether the first bad cell raises, or its row stays NaN.
    """

    def __init__(self, column: Column, on_error: str) -> None:
        self.column = column
        self._on_error = on_error
        self._errors: dict[int, BadCellError] = {}

    @property
    def may_raise(self) -> bool:
        """Whether a bad cell raises."""
        return self._on_error == "raise"

    def add(self, row: int, error: BadCellError) -> None:
        """Record that a row cannot be computed, or raise its error with the row's name."""
        if self.may_raise:
            message = f"{self.column.where(row)}: {error}".rstrip(".")
            advice = "To go on without such rows, set on_error='nan'."
            raise BadCellError(f"{message}. {advice}", row=row) from None  # the message says it all
        self._errors[row] = error

    def usable(self, digests: Sequence[bytes | None]) -> list[int]:
        """Return the rows that are to be computed and have not failed, nor copies of them."""
        failed = {None, *(digests[row] for row in self._errors)}
        return [row for row, digest in enumerate(digests) if digest not in failed]

    def warn(self, digests: Sequence[bytes | None], outcome: str = "filled with NaN") -> None:
        """Warn of the rows that cannot be used, copies of bad cells included.

        Parameters
        ----------
        digests : sequence of bytes or None
            Digest of each cell.
        outcome : str
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
        named = [f"{self.column.where(row)}: {errors[row]}" for row in list(errors)[:_MOST_NAMED]]
        rest = len(errors) - len(named)
        warn(
            f"{len(errors)} of {len(digests)} rows are {outcome}, because their cells "
            f"cannot be used. {' '.join(named)}{f' And {rest} more.' if rest else ''}",
            BadCellWarning,
        )


def digest_column(
    modality: Modality, column: Column, cache: FeatureCache, errors: CellErrors
) -> DigestedCells:
    """Return the cells of a column with their digests; cells that cannot be read are recorded."""
    cells, found = modality.digest(column.cells, cache)
    digests: list[bytes | None] = []
    for row, digest in enumerate(found):
        if isinstance(digest, BadCellError):
            if not (column.in_table and is_missing(column.cells[row])):
                errors.add(row, digest)
            digest = None
        digests.append(digest)
    return DigestedCells(cells, digests)
