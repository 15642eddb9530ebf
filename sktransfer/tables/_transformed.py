"""One column through any transformer: a series, cells, or a table of one column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from sktransfer._compat import safe_indexing
from sktransfer._warnings import warnings_ignored
from sktransfer.base import fit_transform
from sktransfer.embedders import EMBEDDERS
from sktransfer.exceptions import BadCellError, ColumnError


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
    inputs = cells if form == "cells" else _one_column(cells)
    if not missing.any():
        return call(transformer, inputs, y, fit=fit)
    if isinstance(transformer, tuple(EMBEDDERS.values())):
        # No row changes another. Copies of a cell keep the numbers of rows in warnings, and cost
        # no computation.
        found = call(transformer, _filled(cells, missing), y, fit=fit)
        found[missing] = np.nan
        return found
    return of_present(transformer, inputs, missing, y, fit=fit)


def of_present(
    transformer: Any, X: Any, missing: np.ndarray, y: Any = None, *, fit: bool = False
) -> np.ndarray:
    """Return the features of the rows of X that are not missing, and NaN in the others."""
    present = np.flatnonzero(~missing)
    targets = y if y is None else safe_indexing(y, present)
    try:
        rows = call(transformer, safe_indexing(X, present), targets, fit=fit)
    except BadCellError as error:
        if error.row is None:
            raise
        row = int(present[error.row])
        message = str(error).replace(f"row {error.row}", f"row {row}", 1)
        raise BadCellError(message, row=row) from error
    found = np.full((len(missing), rows.shape[1]), np.nan)
    found[present] = rows
    return found


def form_of(transformer: Any) -> str:
    """Return what a transformer takes: "series", "cells" or "table"."""
    while isinstance(transformer, Pipeline) and transformer.steps:
        transformer = transformer.steps[0][1]
    if isinstance(transformer, FeatureUnion):
        forms = {form_of(part) for _, part in transformer.transformer_list}
        return "cells" if "cells" in forms else "table"
    if not hasattr(transformer, "__sklearn_tags__"):
        return "table"
    if not get_tags(transformer).input_tags.two_d_array:
        return "cells"
    return "series" if hasattr(transformer, "__single_column_transformer__") else "table"


def allows_missing(transformer: Any) -> bool:
    """Return whether a transformer takes NaN, as far as it says so."""
    has_tags = hasattr(transformer, "__sklearn_tags__")
    return has_tags and get_tags(transformer).input_tags.allow_nan


def _filled(cells: Any, missing: np.ndarray) -> list[Any]:
    other = cells[int(np.argmin(missing))]
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
    if found.ndim != 2 or len(found) != len(X):
        raise ColumnError(
            f"{type(transformer).__name__} gives features of shape {found.shape} for {len(X)} "
            "rows; expected one row of features per row"
        )
    try:
        return found if found.dtype.kind == "f" else found.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ColumnError(
            f"{type(transformer).__name__} gives {found.dtype} and not numbers; put it into a "
            "pipeline with a transformer that gives numbers"
        ) from error
