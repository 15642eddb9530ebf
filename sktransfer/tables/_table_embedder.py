"""A whole table as one block of features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat import HasMethods, StrOptions, check_feature_names_in
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer._public import public
from sktransfer._table import Table
from sktransfer.columns import Rows, describe
from sktransfer.embedders import EMBEDDERS
from sktransfer.exceptions import ColumnError
from sktransfer.tables._block import Block, fit_block, transform_block
from sktransfer.tables._columns import (
    CATEGORY,
    DATE,
    DROP,
    NUMBER,
    TableColumn,
    recognize_columns,
)
from sktransfer.tables._read_table import places_of, read_table

_AUTO, _AS_IT_IS = "auto", "passthrough"
_TRANSFORMER = (StrOptions({_AUTO, DROP}), HasMethods(["fit", "transform"]))


@public
@with_parameters
class TableEmbedder(TransformerMixin, BaseEstimator):
    """Transform a whole table to features: each column by what it is, all at a comparable scale.

    Parameters
    ----------
    x : x

    See Also
    --------
    ImageEmbedder : Features of a column of images.
    TextEmbedder : Features of a column of texts.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktransfer import TableEmbedder
    >>> table = pd.DataFrame({"title": ["a red chair", "a blue chair"], "width": [40, 60]})
    """

    image: Any = parameter(*_TRANSFORMER, default=_AUTO)
    text: Any = parameter(*_TRANSFORMER, default=_AUTO)
    audio: Any = parameter(*_TRANSFORMER, default=_AUTO)
    number: Any = parameter(*_TRANSFORMER, default=_AUTO)
    category: Any = parameter(*_TRANSFORMER, default=_AUTO)
    date: Any = parameter(*_TRANSFORMER, default=_AUTO)
    columns: Any = parameter(Mapping, None, default=None)

    n_features_in_: int = fitted()
    feature_names_in_: np.ndarray = fitted()
    recognized_: list[dict[str, str]] = fitted()
    _blocks: list[Block | None] = fitted()

    def fit(self, X: Any, y: Any = None) -> Self:
        """Recognize the columns, and fit the transformer of each.

        Parameters
        ----------
        X : table of n rows
            See the class.
        y : array-like of n targets, optional
            Passed on to the transformers.

        Returns
        -------
        self
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit to a table, and return its features.

        Parameters
        ----------
        X : table of n rows
            See the class.
        y : array-like of n targets, optional
            Passed on to the transformers.

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        self._validate_params()
        rows = read_table(X)
        wanted = {str(name): value for name, value in (self.columns or {}).items()}
        _check_wanted(wanted, rows.names)
        chosen = [self._chosen(c, wanted.get(c.name)) for c in recognize_columns(rows)]
        fitted = [
            None
            if column.kind == DROP and transformer is None
            else fit_block(column, rows.column(place), transformer, y, is_scaled=is_scaled)
            for place, (column, transformer, is_scaled) in enumerate(chosen)
        ]
        parts = [part for _, part in filter(None, fitted)]
        if not parts:
            raise ColumnError(
                "no column of X is used: "
                + "; ".join(f"{column.name!r}: {column.why}" for column, *_ in chosen)
            )
        self._remember(rows, [column for column, *_ in chosen])
        self._blocks = [None if found is None else found[0] for found in fitted]
        return np.hstack(parts)

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of a table.

        Parameters
        ----------
        X : table of n rows
            With the columns of `fit`. Those of a frame are found by name, in any order, and
            others are ignored.

        Returns
        -------
        ndarray of shape (n, d), float32
            Each row depends on its own cells only.
        """
        check_is_fitted(self)
        rows = read_table(X)
        names = [found["column"] for found in self.recognized_]
        by_name = hasattr(self, "feature_names_in_")
        places = places_of(names, rows, by_name=by_name, estimator=type(self).__name__)
        return np.hstack(
            [
                transform_block(block, rows.column(place))
                for block, place in zip(self._blocks, places, strict=True)
                if block is not None
            ]
        )

    def describe(self) -> Table:
        """Return what each column was recognized as, why, and how it becomes features.

        Returns
        -------
        Table
            A list of dicts with the keys "column", "recognized_as", "why", "transformer" and
            "features", their number; prints as a table.
        """
        check_is_fitted(self)
        return Table(
            {
                "column": found["column"],
                "recognized_as": found["kind"],
                "why": found["why"],
                "transformer": "" if block is None else _name_of(block["transformer"]),
                "features": 0 if block is None else len(block["names"]),
            }
            for found, block in zip(self.recognized_, self._blocks, strict=True)
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features, which begin with that of their column.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the columns, if `fit` got none.

        Returns
        -------
        ndarray of str objects
        """
        check_is_fitted(self)
        check_feature_names_in(self, input_features)
        blocks = [block for block in self._blocks if block is not None]
        names = [name for block in blocks for name in block["names"]]
        if len(set(names)) < len(names):  # columns such as "a" and "a_0"
            names = [f"{block['column']}__{name}" for block in blocks for name in block["names"]]
        return np.array(names, dtype=object)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those of the default transformers, such as ``image__layer``.

        Parameters
        ----------
        **params : object
            Values by name.

        Returns
        -------
        self
        """
        for kind in {name.partition("__")[0] for name in params if "__" in name}:
            if vars(self).get(kind) == _AUTO and (default := _default_of(kind)) is not None:
                setattr(self, kind, default)
        return super().set_params(**params)

    def _chosen(self, column: TableColumn, wanted: Any) -> tuple[TableColumn, Any, bool]:
        """Return what a column is taken as, its unfitted transformer, and whether it is scaled."""
        if wanted is None:
            return self._by_kind(column)
        column = replace(column, why="by `columns`")
        if wanted == _AS_IT_IS:
            return replace(column, kind=NUMBER), None, False
        if isinstance(wanted, str):
            return self._by_kind(replace(column, kind=wanted))
        return column, clone(wanted), True

    def _by_kind(self, column: TableColumn) -> tuple[TableColumn, Any, bool]:
        given = getattr(self, column.kind, _AUTO)
        if isinstance(given, str) and given == DROP:
            return replace(column, kind=DROP, why=f"{column.kind}='drop'"), None, False
        is_default = isinstance(given, str) or column.kind == DROP
        return column, _default_of(column.kind) if is_default else clone(given), True

    def _remember(self, rows: Rows, columns: list[TableColumn]) -> None:
        vars(self).pop("feature_names_in_", None)
        self.n_features_in_ = len(rows.names)
        self.recognized_ = [{"column": c.name, "kind": c.kind, "why": c.why} for c in columns]
        if rows.is_named:
            self.feature_names_in_ = np.array(rows.names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _default_of(kind: str) -> Any:
    """Return a new default transformer of a kind; None if its values are features as they are."""
    if kind in EMBEDDERS:
        return EMBEDDERS[kind]()
    if kind == CATEGORY:
        return OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=2,
            max_categories=100,
            sparse_output=False,
            dtype=np.float32,
        )
    return None


def _name_of(transformer: Any) -> str:
    return "" if transformer is None else type(transformer).__name__


def _check_wanted(wanted: Mapping[str, Any], names: list[str]) -> None:
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ColumnError(
            f"`columns` names {unknown[0]!r}, which X does not have; its columns are "
            f"{', '.join(map(repr, names[:8]))}"
        )
    kinds = [*EMBEDDERS, NUMBER, CATEGORY, DATE, DROP, _AS_IT_IS]
    for name, value in wanted.items():
        is_known = value in kinds if isinstance(value, str) else hasattr(value, "fit")
        if not is_known:
            raise ColumnError(
                f"columns[{name!r}] is {describe(value)}; use a transformer or one of "
                f"{', '.join(map(repr, kinds))}"
            )
