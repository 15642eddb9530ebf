"""Which columns of a table the estimators of this package within a model read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import joblib

from sktransfer._warnings import warnings_ignored
from sktransfer.base import watched
from sktransfer.cache import NoCache, reading_only
from sktransfer.columns import Column, FlatRows, Rows
from sktransfer.exceptions import BadCellError, SktransferError
from sktransfer.modalities import Modality, Parts


@dataclass(frozen=True)
class Reader:
    """What reads a column.

    Attributes
    ----------
    modality : Modality
        Of its cells.
    recipe : Recipe
        What the cells become.
    """

    modality: Modality
    recipe: Any

    def parts(self, cell: Any) -> Parts | None:
        """Return the parts of a cell; None if it is missing, or not one of the modality."""
        try:
            return self.modality.parts(cell, self.recipe)
        except BadCellError:
            return None


@contextmanager
def in_this_thread() -> Iterator[None]:
    """Run the jobs of a model in this thread, whose settings others do not have."""
    with joblib.parallel_config(backend="sequential"):
        yield


def watch(predict: Callable[[Any], Any], X: Any) -> tuple[Any, list[tuple[Any, Column]]]:
    """Return what a model predicts, and the columns that estimators within it were given."""
    with in_this_thread(), watched() as calls:
        return predict(X), calls


def readers_of(
    calls: Sequence[tuple[Any, Column]], rows: Rows, predict: Callable[[Any], Any]
) -> tuple[Rows, dict[int, Reader]]:
    """Return the readers of a table's columns.

    An estimator reads the column whose cells it was given. If they are the cells of none, because
    another step has changed them, or of several, because these have some in common, it reads each
    of them without which it is given others.

    Parameters
    ----------
    calls : sequence of (estimator, Column)
        From `watch`.
    rows : Rows
        What was given to the model.
    predict : callable
        The model.

    Returns
    -------
    rows : Rows
        The same; as one column, if each row is one flattened cell.
    readers : dict of int to Reader
        By column.
    """
    found: dict[int, Reader] = {}
    unclear: list[tuple[int, _Given, dict[int, int]]] = []
    numbers = range(len(rows.names))
    columns = [column for _, column in calls if len(column.cells) == len(rows)]
    given_to = _given_to(calls, len(rows))
    for place, (given, column) in enumerate(zip(given_to, columns, strict=True)):
        if len(rows.names) > 1 and _is_all_of(given, column, rows):
            return FlatRows(rows.take(range(len(rows)), {}), column.cells), {0: given.reader}
        common = {number: given.first_in(rows.column(number)) for number in numbers}
        first = {number: row for number, row in common.items() if row is not None}
        if len(first) == 1:
            found = dict.fromkeys(first, given.reader) | found
        else:
            unclear.append((place, given, first))
    for place, given, first in unclear:
        left = first or {number: given.first for number in numbers if number not in found}
        changing = [n for n, row in left.items() if _is_read(n, row, place, given, rows, predict)]
        found = dict.fromkeys(changing, given.reader) | found
    return rows, found


class _Given:
    """What was given to an estimator: digests of the cells of a column."""

    def __init__(self, estimator: Any, column: Column) -> None:
        modality = estimator._modality()
        self.reader = Reader(modality, modality.recipe(estimator._fitted_backbone()))
        self.digests = self._digests(column.cells)
        #: The first row with a cell.
        self.first = next((row for row, digest in enumerate(self.digests) if digest), 0)

    def first_in(self, column: Any) -> int | None:
        """Return the first row whose cell is that of a column; None if there is none."""
        try:
            own = self._digests(self.reader.modality.column(column).cells)
        except (SktransferError, ValueError, TypeError):
            return None
        pairs = enumerate(zip(own, self.digests, strict=False))
        return next((row for row, (a, b) in pairs if a == b and a is not None), None)

    def _digests(self, cells: Any) -> list[bytes | None]:
        found = self.reader.modality.digest(cells, NoCache())[1]
        return [digest if isinstance(digest, bytes) else None for digest in found]


def _given_to(calls: Sequence[tuple[Any, Column]], n: int) -> list[_Given]:
    return [_Given(estimator, column) for estimator, column in calls if len(column.cells) == n]


def _is_all_of(given: _Given, column: Column, rows: Rows) -> bool:
    """Return whether each row of the table is one cell of the column."""
    if column.n_features > 1:
        return column.n_features == len(rows.names)
    return given.first_in(rows.take(range(len(rows)), {})) is not None


def _is_read(
    number: int,
    row: int,
    place: int,
    given: _Given,
    rows: Rows,
    predict: Callable[[Any], Any],
) -> bool:
    """Return whether the estimator of a call is given another cell if a column has another one."""
    parts = given.reader.parts(rows.cells(number)[row])
    if parts is None:
        return False
    other = rows.take([row], {number: {0: parts.without(parts.whole)}})
    # Whatever a step of the user's raises: it does not take what the modality makes.
    with suppress(Exception), warnings_ignored(), reading_only():
        now = _given_to(watch(predict, other)[1], 1)[place]
        return now.digests[0] not in (None, given.digests[row])
    return False
