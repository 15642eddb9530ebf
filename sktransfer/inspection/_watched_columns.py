"""Which columns of a table the estimators of this package within a model read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import joblib

from sktransfer._warnings import warnings_ignored
from sktransfer.base import watched
from sktransfer.cache import NoCache
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
    another step has changed them, it reads each column without which it is given others.

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
    unknown: list[tuple[Reader, Any]] = []
    numbers = range(len(rows.names))
    calls = [call for call in calls if len(call[1].cells) == len(rows)]
    for estimator, column in calls:
        reader = _reader(estimator)
        if column.n_features > 1 and column.n_features == len(rows.names):
            return FlatRows(rows.take(range(len(rows)), {}), column.cells), {0: reader}
        digests = _digests(reader, column.cells)
        given = [n for n in numbers if _has_some_of(reader, rows.column(n), digests)]
        found = dict.fromkeys(given, reader) | found
        if not given:
            unknown.append((reader, digests[0]))
    for reader, first in unknown:
        left = [number for number in numbers if number not in found]
        found.update(dict.fromkeys(_changing(reader, first, left, rows, predict), reader))
    return rows, found


def _reader(estimator: Any) -> Reader:
    modality = estimator._modality()
    return Reader(modality, modality.recipe(estimator._fitted_backbone()))


def _digests(reader: Reader, cells: Any) -> list[Any]:
    found = reader.modality.digest(cells, NoCache())[1]
    return [digest if isinstance(digest, bytes) else None for digest in found]


def _has_some_of(reader: Reader, column: Any, digests: list[Any]) -> bool:
    try:
        own = _digests(reader, reader.modality.column(column).cells)
    except (SktransferError, ValueError, TypeError):
        return False
    return any(a == b and a is not None for a, b in zip(own, digests, strict=False))


def _changing(
    reader: Reader, first: Any, numbers: list[int], rows: Rows, predict: Callable[[Any], Any]
) -> list[int]:
    """Return the columns whose cells change what an estimator is given of the first row."""
    found = []
    for number in numbers:
        parts = reader.parts(rows.cells(number)[0])
        if parts is None:
            continue
        other = rows.take([0], {number: {0: parts.without(parts.whole)}})
        # Whatever a step of the user's raises: it does not take what the modality makes.
        with suppress(Exception), warnings_ignored():
            calls = watch(predict, other)[1]
            given = [c.cells for e, c in calls if e._modality() == reader.modality]
            if any(_digests(reader, cells)[0] not in (None, first) for cells in given[:1]):
                found.append(number)
    return found
