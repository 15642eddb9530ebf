"""Towers of a table: which estimator computes on which columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from sktransfer._warnings import warn
from sktransfer.columns import Column, Rows, is_missing, values_of
from sktransfer.exceptions import ColumnError, LeftOutWarning
from sktransfer.finetune import (
    BY_MODALITY,
    BaseFineTuner,
    FineTunedClassifier,
    FineTunedRegressor,
)
from sktransfer.tables._cells_of_kind import cells_of_kind
from sktransfer.tables._columns import (
    DROP,
    UNKNOWN,
    TableColumn,
    recognize_values,
    warn_of_unknown,
)
from sktransfer.tables._table_embedder import TableEmbedder
from sktransfer.tables._transformed import allows_missing, call, form_of, of_present, transformed

# Fine-tuners with a target per row.
_TRAINED = (FineTunedClassifier, FineTunedRegressor)
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
        return isinstance(self.estimator, _TRAINED)


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


def towers_of(rows: Rows, towers: Mapping[str, Any] | str, of_numbers: bool) -> dict[str, Tower]:
    """Return the towers of a table.

    Parameters
    ----------
    rows : Rows
        The table.
    towers : dict or "auto"
        The estimator's parameter of that name.
    of_numbers : bool
        Whether fine-tuners that are not given are regressors, or classifiers.
    """
    found = {
        name: tower
        for name, tower in _assigned(rows, towers, of_numbers).items()
        if tower.estimator is not None and tower.columns
    }
    for name, tower in found.items():
        _check_width(name, tower)
    found = _with_cells(rows, found)
    if not found:
        raise ColumnError("towers leaves no column of X to learn from.")
    return {name: replace(t, estimator=clone(t.estimator)) for name, t in found.items()}


def _assigned(rows: Rows, towers: Mapping[str, Any] | str, of_numbers: bool) -> dict[str, Tower]:
    """Return the towers that are given, and those of the columns that are left."""
    given = {} if isinstance(towers, str) else {str(n): value for n, value in towers.items()}
    takes_rest = REST in given and REST not in rows.names and not isinstance(given[REST], tuple)
    rest = given.pop(REST) if takes_rest else None
    named = {name: _named(rows, name, value) for name, value in given.items()}
    used = {column for tower in named.values() for column in tower.columns}
    left = [name for name in rows.names if name not in used]
    if takes_rest:
        _check_estimator(REST, rest)
        return {**named, REST: Tower(rest, left)}
    others = _recognized(rows, left, of_numbers, {*rows.names, *given})
    if twice := sorted(named.keys() & others.keys()):
        raise ColumnError(f"towers gives the name {twice[0]!r} to other columns than that one.")
    return named | others


def _named(rows: Rows, name: str, value: Any) -> Tower:
    """Return the tower of an item of `towers`, after checking its columns."""
    if isinstance(value, tuple) and len(value) != 2:
        raise TypeError(f"The tower {name!r} must be a pair of an estimator and its columns.")
    estimator, columns = value if isinstance(value, tuple) else (value, name)
    _check_estimator(name, estimator)
    is_one = isinstance(columns, str) or not isinstance(columns, Iterable)
    names = [str(column) for column in ([columns] if is_one else columns)]
    if unknown := [column for column in names if column not in rows.names]:
        raise ColumnError(
            f"The tower {name!r} is of the column {unknown[0]!r}, and X has "
            f"{', '.join(map(repr, rows.names))}. Name a tower as its column, or give a pair of "
            "an estimator and its columns."
        )
    if len({*names}) < len(names):
        raise ColumnError(f"The tower {name!r} has a column twice: {', '.join(names)}.")
    return Tower(estimator, names)


def _check_estimator(name: str, estimator: Any) -> None:
    """Raise if something else than an estimator of features is named."""
    is_tower = hasattr(estimator, "transform") and not isinstance(estimator, type)
    if isinstance(estimator, BaseFineTuner):
        is_tower = isinstance(estimator, _TRAINED)
    if not (is_tower or estimator is None):
        raise TypeError(
            f"The tower {name!r} must be a fine-tuner of rows such as TextClassifier, a "
            f"transformer, or None, got {estimator!r}."
        )


def _check_width(name: str, tower: Tower) -> None:
    """Raise if an estimator of one column has several."""
    if len(tower.columns) > 1 and form_of(tower.estimator) != "table":
        raise ColumnError(
            f"The tower {name!r} is a {type(tower.estimator).__name__}, which takes one column, "
            f"and not {len(tower.columns)}. Give each column a tower."
        )


def _with_cells(rows: Rows, towers: Mapping[str, Tower]) -> dict[str, Tower]:
    """Return towers without those transformers whose columns have no cell to fit them to."""
    empty = [
        name
        for name, tower in towers.items()
        if not tower.is_trained and _lacking(rows, tower.columns).all()
    ]
    if empty:
        warn(
            f"Towers without any cell are not used: {', '.join(map(repr, empty))}. There is "
            "nothing to fit them to.",
            LeftOutWarning,
        )
    return {name: tower for name, tower in towers.items() if name not in empty}


def _recognized(
    rows: Rows, names: Sequence[str], of_numbers: bool, taken: Collection[str]
) -> dict[str, Tower]:
    """Return a fine-tuner for each column of a modality, and one `TableEmbedder` of the others."""
    values = [values_of(rows.column(rows.names.index(name))) for name in names]
    columns = [TableColumn(n, *recognize_values(v)) for n, v in zip(names, values, strict=True)]
    found = {
        column.name: Tower(BY_MODALITY[column.kind][of_numbers](), [column.name])
        for column in columns
        if column.kind in BY_MODALITY
    }
    warn_of_unknown(columns, "towers")
    rest = {c.name: c.kind for c in columns if c.kind not in (*BY_MODALITY, UNKNOWN)}
    if not {*rest.values()} - {DROP}:
        return found
    return found | {_free_name(taken): Tower(TableEmbedder(), [*rest])}


def _free_name(taken: Collection[str]) -> str:
    name = REST
    while name in taken:
        name += "_"
    return name


def read_towers(
    rows: Rows, towers: Mapping[str, Tower], y: Any = None, *, fit: bool = False
) -> MixedTable:
    """Return the columns of a table; with `fit`, fit the towers that are not trained before."""
    columns, blocks = {}, {}
    for name, tower in towers.items():
        with about(name):
            if tower.is_trained:
                (column,) = tower.columns
                cells = rows.column(rows.names.index(column))
                found = tower.estimator._modality().column(cells)
                columns[name] = replace(found, name=column, in_table=True)
            else:
                blocks[name] = _block(tower, rows, y, fit=fit)
    return MixedTable(rows, towers, columns, blocks)


def _block(tower: Tower, rows: Rows, y: Any, *, fit: bool) -> np.ndarray:
    """Return the features of a transformer, NaN where all its columns are missing."""
    lacking = _lacking(rows, tower.columns)
    if lacking.all():
        assert tower.width is not None  # only towers that have cells are fitted
        return np.full((len(lacking), tower.width), np.nan, np.float32)
    numbers = [rows.names.index(column) for column in tower.columns]
    if form_of(tower.estimator) == "table":
        found = _of_table(tower.estimator, rows.select(numbers), lacking, y, fit=fit)
    else:
        X = rows.column(numbers[0])
        cells, missing, _ = cells_of_kind(values_of(X), "other")
        found = transformed(tower.estimator, X, cells, missing, y, fit=fit)
    with np.errstate(over="ignore"):
        block = found.astype(np.float32)
    _check_block(block)
    block[lacking] = np.nan
    return block


def _of_table(transformer: Any, X: Any, lacking: np.ndarray, y: Any, *, fit: bool) -> np.ndarray:
    """Return the features of columns; a transformer that takes no NaN gets no row of NaN only."""
    if lacking.any() and not allows_missing(transformer):
        return of_present(transformer, X, lacking, y, fit=fit)
    return call(transformer, X, y, fit=fit)


def _lacking(rows: Rows, columns: Sequence[str]) -> np.ndarray:
    """Return whether all of these columns are missing, per row."""
    lacking = np.ones(len(rows), dtype=bool)
    for column in columns:
        left = np.flatnonzero(lacking)
        cells = rows.cells(rows.names.index(column)) if len(left) else []
        lacking[left] = [is_missing(cells[row]) for row in left.tolist()]
    return lacking


def _check_block(block: np.ndarray) -> None:
    if not block.shape[1]:
        raise ColumnError("The transformer gives no features.")
    bad = np.flatnonzero(np.isinf(block).any(axis=1))
    if len(bad):
        raise ColumnError(
            f"row {bad[0]}: Input X contains infinity or a value too large for dtype('float32')."
        )
