"""One column through any transformer: a series, cells, or a table of one column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from sktransfer._compat import safe_indexing
from sktransfer._warnings import warnings_ignored
from sktransfer.base import fit_transform
from sktransfer.exceptions import ColumnError


def transformed(
    transformer: Any,
    X: Any,
    cells: Sequence[Any] | np.ndarray,
    missing: np.ndarray,
    y: Any = None,
    *,
    fit: bool = False,
) -> np.ndarray:
    """Return the features of a column, NaN in the rows of missing cells.

    Parameters
    ----------
    transformer : estimator or None
        None: the cells are the features.
    X : Series, array or list
        The column as the user has it.
    cells : sequence of n cells
        As its kind has them.
    missing : ndarray of bool, shape (n,)
        Which of them are.
    y : array-like of n targets, optional
        For transformers that learn from them.
    fit : bool, default=False
        Whether to fit the transformer before.
    """
    if transformer is None:
        return np.asarray(cells)
    form = form_of(transformer)
    if form == "series":  # of skrub, whose transformers read missing cells themselves
        return call(transformer, X, y, fit=fit)
    present = np.flatnonzero(~missing)
    if form == "cells":
        # Copies of another cell keep the numbers of rows in errors, and cost no computation.
        filled = _filled(cells, missing, present) if missing.any() else cells
        found = call(transformer, filled, y, fit=fit)
        found[missing] = np.nan
        return found
    table = _one_column(cells)
    if not missing.any():
        return call(transformer, table, y, fit=fit)
    targets = y if y is None else safe_indexing(y, present)
    rows = call(transformer, table[present], targets, fit=fit)
    found = np.full((len(missing), rows.shape[1]), np.nan)
    found[present] = rows
    return found


def form_of(transformer: Any) -> str:
    """Return what a transformer takes: "series", "cells" or "table"."""
    while isinstance(transformer, Pipeline) and transformer.steps:
        transformer = transformer.steps[0][1]
    if not get_tags(transformer).input_tags.two_d_array:
        return "cells"
    return "series" if hasattr(transformer, "__single_column_transformer__") else "table"


def _filled(cells: Any, missing: np.ndarray, present: np.ndarray) -> list[Any]:
    other = cells[present[0]] if len(present) else None
    return [other if is_missing else c for c, is_missing in zip(cells, missing, strict=True)]


def _one_column(cells: Any) -> np.ndarray:
    if isinstance(cells, np.ndarray):
        return cells[:, np.newaxis]
    table = np.empty((len(cells), 1), object)
    table[:, 0] = cells
    return table


def call(transformer: Any, X: Any, y: Any, *, fit: bool) -> np.ndarray:
    """Return the features (n, d) of what a transformer takes, with `fit` after fitting it."""
    if not fit:
        found = transformer.transform(X)
    else:
        with warnings_ignored(message="n_quantiles"):  # fewer rows have fewer quantiles
            found = fit_transform(transformer, X, y)
    if hasattr(found, "toarray"):
        found = found.toarray()
    found = np.asarray(found)
    found = found[:, np.newaxis] if found.ndim == 1 else found
    try:
        return found if found.dtype.kind == "f" else found.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ColumnError(
            f"{type(transformer).__name__} gives {found.dtype} and not numbers; put it into a "
            "pipeline with a transformer that gives numbers"
        ) from error
