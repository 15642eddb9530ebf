"""What all embedders share: a column in, one feature row a cell out, each computed once."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sktransfer import _runtime
from sktransfer._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    StrOptions,
    with_callbacks,
)
from sktransfer.cache import open_cache
from sktransfer.cells import Column
from sktransfer.embedders._progress import progress
from sktransfer.exceptions import BackboneError, ColumnError, WeightsError
from sktransfer.extraction import Extraction, Failures, Lookup, Reader

if TYPE_CHECKING:
    from sktransfer.backbones import Backbone


class BaseEmbedder(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """A frozen backbone as a transformer of one column.

    A subclass has the parameters, and says in `_reader` how its cells are read. Everything
    else is here.
    """

    # skrub's TableVectorizer and ApplyToCols hand over one column at a time on this mark.
    __single_column_transformer__ = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [str, PathLike, HasMethods(["forward", "state_dict"])],
        "weights": [str, PathLike, None],
        "layer": [str, Interval(Integral, None, None, closed="neither")],
        "pooling": [StrOptions({"default", "mean", "max", "cls", "flatten"})],
        "normalize": ["boolean"],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "precision": [StrOptions({"float32", "bfloat16", "auto"})],
        "device": [str],
        "cache": ["boolean", str, PathLike],
        "on_error": [StrOptions({"raise", "nan"})],
        "verbose": ["verbose"],
    }

    # The parameters are those of the subclasses; scikit-learn reads them from their __init__.
    backbone: Any
    weights: str | Path | None
    layer: str | int
    pooling: str
    normalize: bool
    batch_size: int | str
    precision: str
    device: str
    cache: bool | str | Path
    on_error: str
    verbose: int

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and the column, and load the backbone; no row is computed.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._fit_column(X)
        return self

    @with_callbacks
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit, and return the features of the same column.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        column, backbone = self._fit_column(X)
        return self._embed(column, backbone, fitting=(X, y))

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of a column.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n, d), float32
            A row depends on its own cell only.
        """
        check_is_fitted(self)
        self._validate_params()  # they may have been set since
        column = self._check_column(X)
        return self._embed(column, self._fitted_backbone())

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``<column>_<i>`` for each feature.

        Parameters
        ----------
        input_features : array-like of one str, optional
            Name of the column, where `fit` did not see it.

        Returns
        -------
        ndarray of str objects
        """
        check_is_fitted(self)
        column = self._column_name(input_features)
        return np.array([f"{column}_{i}" for i in range(self._n_features_out)], dtype=object)

    @abstractmethod
    def _reader(self) -> Reader:
        """Return how cells are read and prepared, by this estimator's parameters."""

    # Fitting ---------------------------------------------------------------------------------

    def _fit_column(self, X: Any) -> tuple[Column, Backbone]:
        self._validate_params()
        column = self._reader().column(X)
        backbone = self._get_backbone()
        self._reader().recipe(backbone)
        _runtime.resolve_device(self.device)
        self._n_features_out = self._width(backbone)
        self.fingerprint_ = backbone.fingerprint
        self.n_features_in_ = column.n_features
        self._seen_name = column.name
        if column.is_frame and column.n_features == 1:
            self.feature_names_in_ = np.array([column.name], dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return column, backbone

    def _check_column(self, X: Any) -> Column:
        column = self._reader().column(X)
        if column.n_features != self.n_features_in_:
            raise ColumnError(
                f"X has {column.n_features} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        seen = getattr(self, "feature_names_in_", None)
        if seen is not None and column.is_frame and column.name != seen[0]:
            raise ColumnError(
                f"The feature names should match those that were passed during fit: "
                f"{type(self).__name__} was fitted on column {seen[0]!r}, not {column.name!r}."
            )
        return column

    def _column_name(self, input_features: Any) -> str:
        seen = getattr(self, "feature_names_in_", None)
        if input_features is None:
            return str(self._seen_name) if self._seen_name is not None else "x0"
        names = [str(name) for name in input_features]
        if len(names) != self.n_features_in_:
            raise ColumnError(
                f"input_features should have length equal to number of features "
                f"({self.n_features_in_}), got {len(names)}"
            )
        if seen is not None and names[0] != seen[0]:
            raise ColumnError("input_features is not equal to feature_names_in_")
        return names[0] if len(names) == 1 else self._reader().modality

    def _get_backbone(self) -> Backbone:
        from sktransfer.backbones import get_backbone

        return get_backbone(self.backbone, weights=self.weights, modality=self._reader().modality)

    def _fitted_backbone(self) -> Backbone:
        """Return the backbone of the fit, or raise if the parameters mean another one now."""
        backbone = self._get_backbone()
        if backbone.fingerprint != self.fingerprint_:
            raise WeightsError(
                f"{backbone.name!r} is not what this {type(self).__name__} was fitted with: its "
                "weights, or what a module keeps beside them (attributes, hooks), have changed "
                f"since (fingerprint {backbone.fingerprint}, fitted with {self.fingerprint_}). "
                "Restore it, or fit again."
            )
        if self._width(backbone) != self._n_features_out:
            raise BackboneError(
                f"layer={self.layer!r} with pooling={self.pooling!r} gives "
                f"{self._width(backbone)} features, and this {type(self).__name__} was fitted "
                f"for {self._n_features_out}. Fit again after setting parameters."
            )
        return backbone

    def _width(self, backbone: Backbone) -> int:
        return self._reader().width(backbone, self.layer, self.pooling)

    # Computing -------------------------------------------------------------------------------

    def _embed(
        self, column: Column, backbone: Backbone, fitting: tuple[Any, Any] | None = None
    ) -> np.ndarray:
        device = _runtime.resolve_device(self.device)
        precision = _runtime.resolve_precision(self.precision, device)
        reader, cache = self._reader(), open_cache(self.cache)
        extraction = Extraction(reader, backbone, self.layer, self.pooling, device, precision)
        failures = Failures(column, self.on_error)
        reading = reader.read(column, cache, failures)
        lookup = Lookup(cache, extraction.space, reading.digests, self._n_features_out)
        asked, todo = len(reading.digests), lookup.todo
        with progress(self, asked=asked, todo=len(todo), fitting=fitting) as advance:
            lookup.fill(extraction.compute(reading, todo, failures, advance))
        failures.warn(reading.digests)
        return self._normalized(lookup.rows())

    def _normalized(self, rows: np.ndarray) -> np.ndarray:
        if not self.normalize:
            return rows
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths == 0, 1, lengths)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fingerprint_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
