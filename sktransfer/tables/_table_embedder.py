"""A whole table as one block of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat import HasMethods, StrOptions, check_feature_names_in
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer._public import public
from sktransfer._table import Table
from sktransfer.columns import Rows, describe
from sktransfer.embedders import EMBEDDERS
from sktransfer.exceptions import ColumnError
from sktransfer.tables._block import VALUE, Block, fit_block, transform_block
from sktransfer.tables._block_weights import weights_of
from sktransfer.tables._columns import (
    ALL_MISSING,
    CATEGORY,
    DATE,
    DROP,
    NUMBER,
    UNKNOWN,
    TableColumn,
    recognize_columns,
    warn_of_unknown,
)
from sktransfer.tables._read_table import places_of, read_table

_AUTO, _AS_IT_IS = "auto", "passthrough"
# Less would lose the shape of a distribution, more would follow its noise.
_QUANTILES = 200
_TRANSFORMER = (StrOptions({_AUTO, DROP}), HasMethods(["fit", "transform"]))


@public
@with_parameters
class TableEmbedder(TransformerMixin, BaseEstimator):
    """Transform a whole table to features: each column by what it is, at a scale of its own.

    A table is a frame of pandas, polars, Arrow or another library, or a matrix. Columns of image
    files, bytes, dicts or arrays, of texts, sounds, numbers, booleans, dates and categories are
    recognized in `fit`, which `describe` shows; `transform` takes them as the same.

    Parameters
    ----------
    image : "auto", "drop" or transformer, default="auto"
        Transformer of the columns of images; "auto": `ImageEmbedder`, "drop": they are not used.
    text : "auto", "drop" or transformer, default="auto"
        Transformer of the columns of texts; "auto": `TextEmbedder`.
    audio : "auto", "drop" or transformer, default="auto"
        Transformer of the columns of sounds; "auto": `AudioEmbedder`.
    number : "auto", "drop" or transformer, default="auto"
        Transformer of the columns of numbers, booleans and durations (in seconds), each a float64
        array of shape (n, 1); "auto": the numbers, and their ranks as numbers of a normal
        distribution (scikit-learn's `QuantileTransformer`), which outliers do not disturb.
    category : "auto", "drop" or transformer, default="auto"
        Transformer of the columns of categories, each an array of str of shape (n, 1); "auto":
        scikit-learn's `OneHotEncoder`, in which values that occur once, or are unknown, are one.
    date : "auto", "drop" or transformer, default="auto"
        Transformer of the columns of dates, each a float64 array of shape (n, 1) of seconds since
        1970; "auto": the time, and the places in the year, the week and the day on circles.
    columns : mapping of str to transformer or str, or None, default=None
        What to do with some of the columns, by name (of an array, by number), instead of what they
        are recognized as: a transformer; a kind ("image", "text", "audio", "number", "category" or
        "date"); "drop"; or "passthrough" for numbers that are neither scaled nor filled in.
    weighting : {"target", "equal"}, default="target"
        Weight of the columns. "target": how well each predicts `y` by itself (see Notes), so that
        useless ones do no harm; "equal", and without `y`: all alike.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str, shape (c,)
        Names of the columns, if `fit` was given a DataFrame.
    recognized_ : list of dict
        Per column its name ("column"), what it is taken as ("kind": "image", "text", "audio",
        "number", "category", "date", "drop" or "unknown"), and "why".

    See Also
    --------
    ImageEmbedder : Features of a column of images.
    TextEmbedder : Features of a column of texts.
    AudioEmbedder : Features of a column of sounds.

    Notes
    -----
    A column is recognized by its data type, else by its cells. Strings are numbers, or dates by
    ISO 8601, if 95 % of them are, and the others count as missing. Other strings are categories
    with at most 40 distinct values that occur twice on average, or any number of values that occur
    10 times on average; they are texts otherwise, or, if they are ASCII with digits and no spaces,
    codes: these are dropped if nearly all are different, and else are categories. Columns of one
    value, without values, and of lists or other objects are dropped.

    The features of a column are standardized and divided by the root of their number, so that a
    number has the same total variance as the 1,280 features of an image. Then columns are
    multiplied by their weights. With ``weighting="target"`` this is 4 times the root of R² of a
    ridge regression of `y` on the column alone, for rows left out one by one; of columns with less
    than a tenth of the greatest R², it is at least what they add to the R² of the others. A useless
    column has an R² of 0 and the least weight, 0.1. Without `y`, and with ``weighting="equal"``, it
    is 3; also where all columns together predict better so, by a ridge regression with a penalty of
    3. The default penalties of scikit-learn's linear models work well with these scales.

    In `transform`, numbers in a column of dates, names or texts, and dates in one of numbers, are
    an error, since they would be read as something else; strings of numbers or dates are read as
    such. Strings that cannot be read are missing if there were strings in `fit`, with a warning
    if there is no feature for missing cells; else they are an error.

    A missing cell has the mean of the features, and there is a feature ``<column>_missing`` if some
    cells are missing in `fit`. A file that is damaged or not there is an error that names
    column and row, unless the embedder has ``on_error="nan"``: then it is missing. Numbers
    beyond the greatest or least of the fit, infinite ones too, are replaced by these.

    A transformer is given the cells that are not missing: as a list if it takes one column of
    texts, images or sounds, else as an array of shape (n, 1). Those of skrub get a Series of all
    cells.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktransfer import TableEmbedder
    >>> table = pd.DataFrame({"title": ["a red chair", "a blue chair"], "width": [40, None]})
    >>> embedder = TableEmbedder().fit(table)
    >>> embedder.describe()
    column  recognized as  why                              transformer   features  weight
    title   text           strings, 2 different in 2 cells  TextEmbedder  384       3.000
    width   number         numbers                          FeatureUnion  3         3.000
    >>> embedder.get_feature_names_out()[-3:].tolist()
    ['width', 'width_rank', 'width_missing']
    """

    image: Any = parameter(*_TRANSFORMER, default=_AUTO)
    text: Any = parameter(*_TRANSFORMER, default=_AUTO)
    audio: Any = parameter(*_TRANSFORMER, default=_AUTO)
    number: Any = parameter(*_TRANSFORMER, default=_AUTO)
    category: Any = parameter(*_TRANSFORMER, default=_AUTO)
    date: Any = parameter(*_TRANSFORMER, default=_AUTO)
    columns: Any = parameter(Mapping, None, default=None)
    weighting: str = parameter(StrOptions({"target", "equal"}), default="target")

    n_features_in_: int = fitted()
    feature_names_in_: np.ndarray = fitted()
    recognized_: list[dict[str, str]] = fitted()
    _blocks: list[Block | None] = fitted()
    _weights: list[float] = fitted()

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
            if column.kind in (DROP, UNKNOWN) and transformer is None
            else fit_block(column, rows.column(place), transformer, y, is_scaled=is_scaled)
            for place, (column, transformer, is_scaled) in enumerate(chosen)
        ]
        warn_of_unknown([column for column, transformer, _ in chosen if transformer is None])
        parts = [part for _, part in filter(None, fitted)]
        if not parts:
            raise ColumnError(
                "no column of X is used: "
                + "; ".join(f"{column.name!r}: {column.why}" for column, *_ in chosen)
            )
        self._remember(rows, [column for column, *_ in chosen])
        self._blocks = [None if found is None else found[0] for found in fitted]
        self._weights = self._weights_of(parts, y)
        return self._stacked(parts)

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
        return self._stacked(
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
            A list of dicts with the keys "column", "recognized_as", "why", "transformer",
            "features", which is their number, and "weight"; prints as a table.
        """
        check_is_fitted(self)
        weights = iter(self._weights)
        return Table(
            {
                "column": found["column"],
                "recognized_as": found["kind"],
                "why": found["why"],
                "transformer": "" if block is None else _name_of(block["transformer"]),
                "features": 0 if block is None else len(block["names"]),
                "weight": 0.0 if block is None else next(weights),
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
        blocks = self._used_blocks()
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
        if column.why == ALL_MISSING and wanted != _AS_IT_IS:  # nothing to fit on
            return column, None, False
        column = replace(column, why="by `columns`")
        if wanted == _AS_IT_IS:
            return replace(column, kind=NUMBER), None, False
        if isinstance(wanted, str):
            return self._by_kind(replace(column, kind=wanted))
        return column, clone(wanted), True

    def _by_kind(self, column: TableColumn) -> tuple[TableColumn, Any, bool]:
        given = getattr(self, column.kind, _AUTO)  # another modality has no parameter
        if isinstance(given, str) and given == DROP:
            return replace(column, kind=DROP, why=f"{column.kind}='drop'"), None, False
        is_default = isinstance(given, str)
        return column, _default_of(column.kind) if is_default else clone(given), True

    def _used_blocks(self) -> list[Block]:
        return [block for block in self._blocks if block is not None]

    def _weights_of(self, parts: Sequence[np.ndarray], y: Any) -> list[float]:
        """Return the weight of each used column; 1 for numbers that are passed through."""
        is_scaled = [block["is_scaled"] for block in self._used_blocks()]
        scaled = [part for part, is_one in zip(parts, is_scaled, strict=True) if is_one]
        weights = iter(weights_of(scaled, y if self.weighting == "target" else None))
        return [next(weights) if is_one else 1.0 for is_one in is_scaled]

    def _stacked(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        return np.hstack([w * part for w, part in zip(self._weights, parts, strict=True)])

    def _remember(self, rows: Rows, columns: list[TableColumn]) -> None:
        self.__dict__.pop("feature_names_in_", None)
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
    """Return a new default transformer of a kind; None if there is none, as for dates."""
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
    if kind == NUMBER:
        rank = QuantileTransformer(
            n_quantiles=_QUANTILES, output_distribution="normal", subsample=None
        )
        return FeatureUnion([(VALUE, "passthrough"), ("rank", rank)])
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
