"""Towers of a table: which estimator computes on which columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from sktransfer.columns import Column, Rows, is_missing, values_of
from sktransfer.exceptions import ColumnError
from sktransfer.finetune import (
    BY_MODALITY,
    BaseFineTuner,
    FineTunedClassifier,
    FineTunedRegressor,
)
from sktransfer.tables._columns import (
    DROP,
    UNKNOWN,
    TableColumn,
    recognize_values,
    warn_of_unknown,
)
from sktransfer.tables._table_embedder import TableEmbedder
from sktransfer.tables._transformed import call, form_of, transformed

#: Name of the tower of all columns that have none of their own.
REST = "rest"


@dataclass(frozen=True)
class Tower:
    """An estimator and the columns that it computes on.

    Attributes
    ----------
    estimator : estimator
        A fine-tuner, whose network is trained with the others, or any transformer.
    columns : list of str
        Names of its columns; numbers where columns have no names.
    width : int or None
        Number of its features, once it is fitted.
    """

    estimator: Any
    columns: list[str]
    width: int | None = None

    @property
    def is_trained(self) -> bool:
        """Whether it is a network that is trained with the others."""
        return isinstance(self.estimator, (FineTunedClassifier, FineTunedRegressor))


@dataclass(frozen=True)
class MixedTable:
    """The columns of a table, as its towers read them.

    Attributes
    ----------
    rows : Rows
        The table.
    towers : dict of str to Tower
        By name.
    columns : dict of str to Column
        Of each tower that is trained.
    blocks : dict of str to ndarray of shape (n, d)
        Features of each other tower, float32, NaN where missing.
    """

    rows: Rows
    towers: Mapping[str, Tower]
    columns: Mapping[str, Column]
    blocks: Mapping[str, np.ndarray]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.rows)


@contextmanager
def about(name: str) -> Iterator[None]:
    """Add the name of a tower to errors."""
    try:
        yield
    except Exception as error:
        error.add_note(f"This is about the tower {name!r}.")
        raise


def towers_of(rows: Rows, towers: Mapping[str, Any] | str, kind: int) -> dict[str, Tower]:
    """Return the towers of a table.

    Parameters
    ----------
    rows : Rows
        The table.
    towers : dict or "auto"
        The estimator's parameter of that name.
    kind : {0, 1}
        Whether fine-tuners that are not given are classifiers or regressors.
    """
    given = {} if isinstance(towers, str) else dict(towers)
    has_rest = REST in given and REST not in rows.names
    rest = given.pop(REST) if has_rest else None
    named = {name: _named(rows, name, value) for name, value in given.items()}
    used = {column for tower in named.values() for column in tower.columns}
    left = [name for name in rows.names if name not in used]
    others = {REST: Tower(rest, left)} if has_rest else _recognized(rows, left, kind)
    if twice := sorted(named.keys() & others.keys()):
        raise ColumnError(f"towers gives the name {twice[0]!r} to other columns than that one.")
    found = {
        name: Tower(clone(tower.estimator), tower.columns)
        for name, tower in (named | others).items()
        if tower.estimator is not None and tower.columns
    }
    if not found:
        raise ColumnError("towers leaves no column of X to learn from.")
    return found


def _named(rows: Rows, name: str, value: Any) -> Tower:
    if isinstance(value, tuple) and len(value) != 2:
        raise TypeError(f"The tower {name!r} must be a pair of an estimator and its columns.")
    estimator, columns = value if isinstance(value, tuple) else (value, name)
    columns = list(columns) if isinstance(columns, (list, tuple)) else [columns]
    names = [str(column) for column in columns]
    if unknown := [column for column in names if column not in rows.names]:
        raise ColumnError(
            f"The tower {name!r} is of the column {unknown[0]!r}, and X has "
            f"{', '.join(map(repr, rows.names))}. Name a tower as its column, or give a pair of "
            "an estimator and its columns."
        )
    if len({*names}) < len(names):
        raise ColumnError(f"The tower {name!r} has a column twice: {', '.join(names)}.")
    tower = Tower(estimator, names)
    if tower.is_trained and len(names) != 1:
        raise ColumnError(
            f"The tower {name!r} is a {type(estimator).__name__}, which takes one column, and "
            f"not {len(names)}. Give each column a tower."
        )
    is_other = isinstance(estimator, BaseFineTuner) and not tower.is_trained
    if is_other or not (estimator is None or hasattr(estimator, "transform")):
        raise TypeError(
            f"The tower {name!r} must be a fine-tuner of rows such as TextClassifier, a "
            f"transformer, or None, got {estimator!r}."
        )
    return tower


def _recognized(rows: Rows, names: Sequence[str], kind: int) -> dict[str, Tower]:
    """Return a fine-tuner for each column of a modality, and one `TableEmbedder` of the others."""
    values = [values_of(rows.column(rows.names.index(name))) for name in names]
    columns = [TableColumn(n, *recognize_values(v)) for n, v in zip(names, values, strict=True)]
    found = {
        column.name: Tower(BY_MODALITY[column.kind][kind](), [column.name])
        for column in columns
        if column.kind in BY_MODALITY
    }
    warn_of_unknown(columns, "towers")
    rest = {c.name: c.kind for c in columns if c.kind not in (*BY_MODALITY, UNKNOWN)}
    if not {*rest.values()} - {DROP}:
        return found
    return found | {_free_name(rows): Tower(TableEmbedder(), [*rest])}


def _free_name(rows: Rows) -> str:
    name = REST
    while name in rows.names:
        name += "_"
    return name


def read_towers(
    rows: Rows, towers: Mapping[str, Tower], y: Any = None, *, fit: bool = False
) -> MixedTable:
    """Return the columns of a table; with `fit`, fit the towers that are not trained before."""
    columns, blocks = {}, {}
    for name, tower in towers.items():
        numbers = [rows.names.index(column) for column in tower.columns]
        with about(name):
            if tower.is_trained:
                column = tower.estimator._modality().column(rows.column(numbers[0]))
                columns[name] = replace(column, name=tower.columns[0], in_table=True)
            else:
                blocks[name] = _block(tower, rows, numbers, y, fit=fit)
                _check_block(blocks[name], len(rows))
                blocks[name][_without_cells(rows, numbers)] = np.nan
    return MixedTable(rows, towers, columns, blocks)


def _block(tower: Tower, rows: Rows, numbers: Sequence[int], y: Any, *, fit: bool) -> np.ndarray:
    transformer = tower.estimator
    if len(numbers) > 1 or form_of(transformer) == "table":
        X = rows.select(numbers)
        return call(transformer, X, y, fit=fit).astype(np.float32)
    X = rows.column(numbers[0])
    cells = values_of(X).cells
    missing = np.fromiter(map(is_missing, cells), bool, len(cells))
    if missing.all() and tower.width is not None:
        return np.full((len(cells), tower.width), np.nan, np.float32)
    return transformed(transformer, X, cells, missing, y, fit=fit).astype(np.float32)


def _without_cells(rows: Rows, numbers: Sequence[int]) -> list[int]:
    """Return the rows in which all of these columns are missing."""
    left = [*range(len(rows))]
    for number in numbers:
        if left:
            cells = rows.cells(number)
            left = [row for row in left if is_missing(cells[row])]
    return left


def _check_block(block: np.ndarray, n_rows: int) -> None:
    if block.ndim != 2 or len(block) != n_rows or not block.shape[1]:
        raise ColumnError(
            f"The transformer gives {block.shape} features for {n_rows} rows, expected a row of "
            "one or more per row."
        )
    bad = np.flatnonzero(np.isinf(block).any(axis=1))
    if len(bad):
        raise ColumnError(
            f"row {bad[0]}: Input X contains infinity or a value too large for dtype('float32')."
        )
