"""Search for the most similar rows of a column, or of features."""

from __future__ import annotations

from copy import copy
from numbers import Integral
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from scipy.sparse import csr_matrix, issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from sktransfer._compat import HasMethods, Interval, StrOptions
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import is_fitted
from sktransfer.columns import row_labels
from sktransfer.exceptions import ColumnError
from sktransfer.modalities import recognize
from sktransfer.neighbors._approximate_index import ApproximateIndex, check_usearch, has_usearch
from sktransfer.neighbors._near_pairs import unit_rows
from sktransfer.neighbors._nearest_rows import nearest_rows, without_own

_DTYPES = [np.float64, np.float32]
# Rows from which on "auto" is approximate.
_MANY = 200_000
_MOST_NAMED = 5


@public
@with_parameters
class SimilaritySearch(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Search for the rows whose features have the highest cosine.

    The methods are those of `sklearn.neighbors.NearestNeighbors` with ``metric="cosine"``, and
    `transform` is that of `sklearn.neighbors.KNeighborsTransformer`. `fit` takes a column of texts,
    images or sounds, which `embedder` transforms, or the features themselves.

    Parameters
    ----------
    embedder : estimator with transform, or None, default=None
        Makes features of the column: an embedder, a Pipeline, or another estimator, of which `fit`
        fits a clone. Wrap a fitted one as ``FrozenEstimator(...)`` to keep it. None: `X` are the
        features.
    query_embedder : estimator with transform, or None, default=None
        Makes features of queries, in the same space, where they are not made like those of the
        rows: the half for texts of a CLIP model where `embedder` is that for images, or the same
        backbone with another `prompt`. An embedder of this package, or a fitted estimator. None:
        the same as `embedder`.
    n_neighbors : int, default=5
        Number of neighbours per query.
    mode : {"distance", "connectivity"}, default="distance"
        Values of the graph that `transform` returns: distances, or ones.
    algorithm : {"auto", "exact", "approximate"}, default="auto"
        How neighbours are found. "exact": by all cosines; "approximate": by a graph, which requires
        ``pip install 'sktransfer[search]'``; "auto": exact up to 200,000 rows and where that
        package is missing, approximate beyond. See Notes.
    connectivity : int, default=16
        Approximate only: edges per row of the graph. More find more of the neighbours, and take
        more time and memory.
    expansion_add : int, default=128
        Approximate only: candidates that are examined for the edges of a row in `fit`.
    expansion_search : int, default=48
        Approximate only: candidates that are examined per query. More find more of the neighbours,
        and take more time.
    n_jobs : int or None, default=None
        Approximate only: threads that build the graph; -1 for all cores. With more than one, the
        graph, and so which neighbours are missed, differs from fit to fit. None is one.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns of `X`.
    feature_names_in_ : ndarray of str
        Names of the columns, if `fit` was given a DataFrame.
    embedder_ : estimator
        The fitted `embedder`, if there is one.
    algorithm_ : {"exact", "approximate"}
        How neighbours are found.
    left_out_ : ndarray of int
        Rows of the fit that are not searched, because their features are NaN.
    n_samples_fit_ : int
        Number of rows of the fit, those left out included.

    See Also
    --------
    find_duplicates : Copies among the cells of a column.
    sklearn.neighbors.NearestNeighbors : Other distances, and sparse features.

    Notes
    -----
    Exact search multiplies blocks of rows: memory beyond the features does not grow with the number
    of queries or rows, and a query takes time in proportion to the rows. Distances of float32
    features are precise to about 1e-7, and equal rows have a distance of 0; of rows at the same
    distance, the first come first. A row of zeros has a distance of 1 to all rows.

    The approximate index is a graph [1]_ over features that are rounded to 8 bits, where rows that
    become equal are one node. What it finds is ranked by exact distances. Some neighbours may be
    missing, in favour of farther ones. Where features take few values, as one-hot ones do, many
    rows are as near as the last neighbour, and which of these are returned differs from exact
    search; their distances do not. The same holds for rows that differ by less than about 1/127 of
    the largest feature, as where all rows share a large part: the graph does not tell them apart,
    so use ``algorithm="exact"``. If most pairs are at distance 1, raise `expansion_search`, since
    distances tell the graph no direction. It is built again where a pickle or a file of `save` is
    loaded, at the first search.

    Rows whose features have NaN, as an embedder with ``on_error="nan"`` returns for bad cells, are
    left out, and are no row's neighbour. To search for the neighbours of such a row is an error.

    References
    ----------
    .. [1] Y. Malkov, D. Yashunin, "Efficient and robust approximate nearest neighbor search using
       Hierarchical Navigable Small World graphs", IEEE TPAMI 2020,
       https://arxiv.org/abs/1603.09320

    Examples
    --------
    >>> from sktransfer import SimilaritySearch, TextEmbedder
    >>> questions = ["Who wrote Hamlet?", "What is a cat?", "Where is Rome?"]
    >>> search = SimilaritySearch(TextEmbedder(cache=False), n_neighbors=1).fit(questions)
    >>> distances, rows = search.kneighbors(["the author of Hamlet", "a small pet"])
    >>> [questions[row] for row in rows[:, 0]]
    ['Who wrote Hamlet?', 'What is a cat?']
    """

    embedder: Any = parameter(HasMethods(["fit", "transform"]), None, default=None, kw_only=False)
    query_embedder: Any = parameter(HasMethods(["fit", "transform"]), None, default=None)
    n_neighbors: int = parameter(Interval(Integral, 1, None, closed="left"), default=5)
    mode: str = parameter(StrOptions({"distance", "connectivity"}), default="distance")
    algorithm: str = parameter(StrOptions({"auto", "exact", "approximate"}), default="auto")
    connectivity: int = parameter(Interval(Integral, 2, None, closed="left"), default=16)
    expansion_add: int = parameter(Interval(Integral, 1, None, closed="left"), default=128)
    expansion_search: int = parameter(Interval(Integral, 1, None, closed="left"), default=48)
    n_jobs: int | None = parameter(
        Interval(Integral, 1, None, closed="left"),
        Interval(Integral, None, -1, closed="right"),
        None,
        default=None,
    )

    embedder_: Any = fitted()
    algorithm_: str = fitted()
    left_out_: np.ndarray = fitted()
    n_samples_fit_: int = fitted()
    n_features_in_: int = fitted()
    feature_names_in_: np.ndarray = fitted()
    _rows: np.ndarray = fitted()
    _places: np.ndarray = fitted()
    _index: ApproximateIndex | None = fitted()

    def fit(self, X: Any, y: Any = None) -> Self:
        """Embed the rows that are searched, and build the index.

        Parameters
        ----------
        X : column of n cells, or array-like of shape (n, d)
            What `embedder` takes; features if there is none.
        y : array-like of shape (n,), optional
            Targets for an embedder that learns from them; otherwise ignored.

        Returns
        -------
        self
        """
        self._validate_params()
        fresh = copy(self)  # a fit that fails leaves an earlier one as it is
        fresh._fit(X, y)
        self.__dict__ = fresh.__dict__
        return self

    def _fit(self, X: Any, y: Any) -> None:
        features = self._fit_features(X, y)
        is_left_out = np.isnan(features).any(axis=1)
        if is_left_out.all():
            raise ColumnError(f"All {len(features)} rows of X have features that are NaN.")
        self.n_samples_fit_ = len(features)
        self.left_out_ = np.flatnonzero(is_left_out)
        self._places = np.flatnonzero(~is_left_out)
        self._rows = unit_rows(features[self._places])
        self.algorithm_ = self._chosen(len(self._rows))
        self._index = None
        self._approximate()

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find the nearest rows of each query.

        Parameters
        ----------
        X : column of q cells, or array-like of shape (q, d), optional
            Queries: what `query_embedder`, or else `embedder`, takes. None: the rows of the fit,
            each without itself.
        n_neighbors : int, optional
            Number of neighbours; by default that of the class.
        return_distance : bool, default=True
            Whether to return distances too.

        Returns
        -------
        distances : ndarray of shape (q, n_neighbors)
            1 minus the cosine, in ascending order; only if `return_distance`.
        rows : ndarray of shape (q, n_neighbors)
            Positions of the neighbours in the `X` of the fit.
        """
        check_is_fitted(self)
        queries = None if X is None else self._queries(X)
        distances, rows = self._nearest(queries, n_neighbors, leave_own_out=X is None)
        return (distances, rows) if return_distance else rows

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> csr_matrix:
        """Return the graph of the nearest rows of each query.

        Parameters
        ----------
        X : column of q cells, or array-like of shape (q, d), optional
            Queries, as for `kneighbors`.
        n_neighbors : int, optional
            Number of neighbours; by default that of the class.
        mode : {"connectivity", "distance"}, default="connectivity"
            Values of the graph: ones, or distances.

        Returns
        -------
        csr_matrix of shape (q, n)
            ``graph[i, j]`` is the value from query i to row j of the fit.
        """
        if mode not in ("connectivity", "distance"):
            raise ValueError(f"mode={mode!r} must be 'connectivity' or 'distance'.")
        distances, rows = self.kneighbors(X, n_neighbors)
        return self._graph(distances, rows, mode)

    def transform(self, X: Any) -> csr_matrix:
        """Return the graph of the nearest rows, as `sklearn.neighbors.KNeighborsTransformer`.

        Parameters
        ----------
        X : column of q cells, or array-like of shape (q, d)
            Queries, as for `kneighbors`.

        Returns
        -------
        csr_matrix of shape (q, n)
            With ``mode="distance"``, of `n_neighbors` + 1 rows per query: a row of the fit is its
            own neighbour, and estimators with ``metric="precomputed"`` do not count it.
        """
        check_is_fitted(self)
        return self._own_graph(self._queries(X))

    def fit_transform(self, X: Any, y: Any = None) -> csr_matrix:
        """Fit, and return the graph of the rows of the fit.

        Parameters
        ----------
        X : column of n cells, or array-like of shape (n, d)
            As for `fit`.
        y : array-like of shape (n,), optional
            As for `fit`.

        Returns
        -------
        csr_matrix of shape (n, n)
            As of `transform`.
        """
        return self.fit(X, y)._own_graph(None)

    # Features --------------------------------------------------------------------------------

    def _fit_features(self, X: Any, y: Any) -> np.ndarray:
        for name in ("n_features_in_", "feature_names_in_", "embedder_"):
            self.__dict__.pop(name, None)
        if self.embedder is None:
            return self._numbers(X, reset=True)
        self.embedder_ = clone(self.embedder).fit(X, y)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.embedder_, name):
                setattr(self, name, getattr(self.embedder_, name))
        return _checked(self.embedder_.transform(X), X)

    def _numbers(self, X: Any, *, reset: bool) -> np.ndarray:
        if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
            raise ColumnError(
                f"X has {np.ma.count_masked(X)} masked features, and rows with missing features "
                "have no neighbours. Fill them in, or leave these rows out."
            )
        try:
            return validate_data(self, X, dtype=_DTYPES, reset=reset)
        except ValueError as error:
            found = recognize(X).name if np.ndim(X) == 1 or reset else None
            if found is None:
                raise
            raise ColumnError(
                f"X is a column ({found}), and without an embedder features are expected: pass "
                f"one, such as SimilaritySearch({found.capitalize()}Embedder())."
            ) from error

    def _queries(self, X: Any) -> np.ndarray:
        """Return queries at unit length."""
        if self.query_embedder is None and self.embedder is None:
            return unit_rows(self._numbers(X, reset=False), self._rows.dtype)
        features = _checked(self._query_model(X).transform(X), X)
        width = self._rows.shape[1]
        if features.shape[1] != width:
            raise ValueError(
                f"The queries have {features.shape[1]} features, and the rows of the fit {width}: "
                "embedder and query_embedder must share one space of features, as the two halves "
                "of a CLIP model."
            )
        bad = np.flatnonzero(np.isnan(features).any(axis=1))
        if len(bad):
            raise ColumnError(
                f"{len(bad)} queries have features that are NaN, and so no neighbours: "
                f"{_named(bad, X)}. Leave these rows out."
            )
        return unit_rows(features, self._rows.dtype)

    def _query_model(self, X: Any) -> Any:
        from sktransfer.embedders import BaseEmbedder

        if self.query_embedder is None:
            return self.embedder_
        if is_fitted(self.query_embedder):
            return self.query_embedder
        if isinstance(self.query_embedder, BaseEmbedder):  # learns nothing from a column
            return clone(self.query_embedder).fit(X)
        raise ValueError(
            f"query_embedder, a {type(self.query_embedder).__name__}, is not fitted, and `fit` of "
            "the search has no queries for it. Fit it first, and pass it as FrozenEstimator(...)."
        )

    # Search ----------------------------------------------------------------------------------

    def _chosen(self, n: int) -> str:
        if self.algorithm == "auto":
            return "approximate" if n > _MANY and has_usearch() else "exact"
        return self.algorithm

    def _approximate(self) -> ApproximateIndex | None:
        """Return the index, which is built if it is missing; None if the search is exact."""
        if self._index is None and self.algorithm_ == "approximate":
            check_usearch()
            self._index = ApproximateIndex(
                self._rows,
                connectivity=self.connectivity,
                expansion_add=self.expansion_add,
                n_jobs=1 if self.n_jobs is None else effective_n_jobs(self.n_jobs),
            )
        return self._index

    def _nearest(
        self, queries: np.ndarray | None, n_neighbors: int | None, *, leave_own_out: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and positions; without queries those of the rows of the fit."""
        self._validate_params()  # they may have been set after the fit
        if queries is None and len(self.left_out_):
            raise ColumnError(
                f"{len(self.left_out_)} rows of the fit have features that are NaN, and so no "
                f"neighbours: see left_out_. Fit without them, or pass queries."
            )
        k = self._checked_count(n_neighbors, leave_own_out)
        rows = self._rows if queries is None else queries
        index = self._approximate()
        if index is None:
            places, distances = nearest_rows(rows, None if leave_own_out else self._rows, k=k)
        else:
            places, distances = index.nearest(rows, k + leave_own_out, self.expansion_search)
            if leave_own_out:
                places, distances = without_own(places, distances, own=np.arange(len(rows)))
        return distances, self._places[places]

    def _checked_count(self, n_neighbors: int | None, leave_own_out: bool) -> int:
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        if not isinstance(k, Integral) or isinstance(k, bool):
            raise TypeError(f"n_neighbors must be an integer, got {k!r}.")
        most = len(self._rows) - leave_own_out
        if not 1 <= k <= most:
            raise ValueError(
                f"Expected 1 <= n_neighbors <= {most}, the number of rows that are searched"
                f"{' without the row itself' if leave_own_out else ''}, but n_neighbors = {k}."
            )
        return int(k)

    def _own_graph(self, queries: np.ndarray | None) -> csr_matrix:
        k = self.n_neighbors + (self.mode == "distance")
        distances, rows = self._nearest(queries, k, leave_own_out=False)
        return self._graph(distances, rows, self.mode)

    def _graph(self, distances: np.ndarray, rows: np.ndarray, mode: str) -> csr_matrix:
        n, k = rows.shape
        values = distances.ravel() if mode == "distance" else np.ones(n * k)
        ends = np.arange(0, n * k + 1, k)
        return csr_matrix((values, rows.ravel(), ends), shape=(n, self.n_samples_fit_))

    # State -----------------------------------------------------------------------------------

    @property
    def _n_features_out(self) -> int:
        return self.n_samples_fit_

    def __getstate__(self) -> Any:
        state = super().__getstate__()
        return state | {"_index": None} if "_index" in state else state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.embedder is not None:
            from sklearn.utils import get_tags

            tags.input_tags = get_tags(self.embedder).input_tags
        return tags


def _checked(features: Any, X: Any) -> np.ndarray:
    """Return features of X by an embedder as numbers; NaN are allowed."""
    if issparse(features):
        raise TypeError(
            "The embedder gives sparse features, which are not searched here: "
            "sklearn.neighbors.NearestNeighbors(metric='cosine') does. Or add a step to the "
            "embedder that makes them dense."
        )
    found = check_array(
        features,
        dtype=_DTYPES,
        ensure_all_finite="allow-nan",
        input_name="features of the embedder",
    )
    if len(found) != len(X):
        raise ValueError(
            f"The embedder gives {len(found)} rows of features for the {len(X)} rows of X, and "
            "positions of neighbours would be wrong: it must give one per row."
        )
    return found


def _named(rows: np.ndarray, X: Any) -> str:
    labels = row_labels(X)
    names = [str(row) if labels is None else f"{row} ({labels[row]!r})" for row in rows]
    return f"rows {', '.join(names[:_MOST_NAMED])}{', ...' if len(names) > _MOST_NAMED else ''}"
