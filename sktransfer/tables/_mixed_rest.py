"""What columns are, where towers do not say it, and a block of features of those of no modality."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sktransfer.columns import Rows, is_missing, rows_of
from sktransfer.modalities import recognize

# A column of strings is of categories with so few distinct values, each twice on average.
_FEW_VALUES = 40


def modality_of_column(rows: Rows, number: int) -> str | None:
    """Return the modality of a column; None if it belongs to the rest of the table."""
    cells = [cell for cell in rows.cells(number) if not is_missing(cell)]
    if not cells or _are_numbers(cells):
        return None
    if all(isinstance(cell, str) for cell in cells):
        distinct = len(set(cells))
        if distinct <= _FEW_VALUES and 2 * distinct <= len(cells):
            return None
    return recognize(rows.column(number)).name


class TableBlock(TransformerMixin, BaseEstimator):
    """Numbers standardized, and other values one-hot encoded; missing numbers stay NaN."""

    def fit(self, X: Any, y: Any = None) -> TableBlock:
        """Learn the scale of numbers, and the values of other columns."""
        cells = _matrix(X)
        are_numbers = [_are_numbers([c for c in column if not is_missing(c)]) for column in cells.T]
        numbers = np.flatnonzero(are_numbers).tolist()
        others = np.flatnonzero(~np.array(are_numbers)).tolist()
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        self.block_ = ColumnTransformer(
            [("numbers", StandardScaler(), numbers), ("categories", encoder, others)]
        ).fit(cells)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the features (n, d)."""
        return self.block_.transform(_matrix(X)).astype(np.float64)


def _matrix(X: Any) -> np.ndarray:
    rows = rows_of(X)
    cells = np.empty((len(rows), len(rows.names)), dtype=object)
    for number in range(len(rows.names)):
        cells[:, number] = [None if is_missing(c) else c for c in rows.cells(number)]
    return cells


def _are_numbers(cells: Sequence[Any]) -> bool:
    return all(isinstance(cell, (Number, np.number, np.bool_)) for cell in cells)
