"""What all embedders share: a column in, one feature row a cell out, each computed once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

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
from sktransfer.cache import FeatureCache, open_cache, space_key
from sktransfer.cells import Column, as_column
from sktransfer.embedders._failures import Failures
from sktransfer.embedders._once import Computed, Lookup
from sktransfer.embedders._progress import Advance, progress
from sktransfer.exceptions import BackboneError, ColumnError, WeightsError

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone, ImageRecipe, TextRecipe

#: Positions of some rows in their column, and what the subclass prepared of them.
Batch = tuple[Sequence[int], Any]


@dataclass(frozen=True)
class Reading:
    """The cells of a column in the form that a subclass computes from, and their digests."""

    cells: Sequence[Any]
    #: None for a cell that is not to be computed.
    digests: Sequence[bytes | None]


class BaseEmbedder(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """A frozen backbone as a transformer of one column.

    A subclass says how its cells are read and digested, and how they become input of the
    network: `_read`, `_batches`, `_inputs`. Everything else is here.
    """

    # skrub's TableVectorizer and ApplyToCols hand over one column at a time on this mark.
    __single_column_transformer__ = True

    _modality: ClassVar[Literal["image", "text"]]
    #: The package that prepares the cells: another version of it may give other numbers.
    _preparation: ClassVar[str]
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

    # What a subclass brings ----------------------------------------------------------------

    @abstractmethod
    def _recipe(self, backbone: Backbone) -> ImageRecipe | TextRecipe:
        """Return the backbone's recipe with this estimator's parameters in it."""

    @abstractmethod
    def _read(self, column: Column, cache: FeatureCache, failures: Failures) -> Reading:
        """Look at every cell without computing anything of it."""

    @abstractmethod
    def _batches(
        self,
        reading: Reading,
        rows: list[int],
        backbone: Backbone,
        on_cpu: bool,
        failures: Failures,
    ) -> Iterator[Batch]:
        """Put rows together and prepare them, in order and ahead of the network."""

    @abstractmethod
    def _inputs(self, batch: Any, backbone: Backbone, device: torch.device) -> Any:
        """Bring a prepared batch to the device, as the network takes it."""

    # Fitting ---------------------------------------------------------------------------------

    def _fit_column(self, X: Any) -> tuple[Column, Backbone]:
        self._validate_params()
        column = self._as_column(X)
        backbone = self._get_backbone()
        self._recipe(backbone)
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

    def _as_column(self, X: Any) -> Column:
        return as_column(X, kind=self._modality)

    def _check_column(self, X: Any) -> Column:
        column = self._as_column(X)
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
        return names[0] if len(names) == 1 else self._modality

    def _get_backbone(self) -> Backbone:
        from sktransfer.backbones import get_backbone

        return get_backbone(self.backbone, weights=self.weights, modality=self._modality)

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
        return backbone.width(self.layer, self.pooling)

    # Computing -------------------------------------------------------------------------------

    def _embed(
        self, column: Column, backbone: Backbone, fitting: tuple[Any, Any] | None = None
    ) -> np.ndarray:
        device = _runtime.resolve_device(self.device)
        precision = _runtime.resolve_precision(self.precision, device)
        cache = open_cache(self.cache)
        failures = Failures(column, self.on_error)
        reading = self._read(column, cache, failures)
        space = self._space(backbone, device, precision)
        lookup = Lookup(cache, space, reading.digests, self._n_features_out)
        asked, todo = len(reading.digests), lookup.todo
        with progress(self, asked=asked, todo=len(todo), fitting=fitting) as advance:
            batches = self._batches(reading, todo, backbone, device.type == "cpu", failures)
            lookup.fill(self._computed(batches, backbone, device, precision, advance))
        failures.warn(reading.digests)
        return self._normalized(lookup.rows())

    def _computed(
        self,
        batches: Iterator[Batch],
        backbone: Backbone,
        device: torch.device,
        precision: str,
        advance: Advance,
    ) -> Iterator[Computed]:
        for rows, inputs in batches:
            with _runtime.inference(device, precision):
                features = backbone.extract(
                    self._inputs(inputs, backbone, device), layer=self.layer, pooling=self.pooling
                )
            yield rows, features.cpu().numpy()
            advance(len(rows))

    def _space(self, backbone: Backbone, device: torch.device, precision: str) -> bytes:
        return space_key(
            fingerprint=backbone.fingerprint,
            recipe=repr(self._recipe(backbone)),
            layer=backbone.resolve(self.layer),
            pooling=self.pooling,
            precision=precision,
            engine=_runtime.engine(device),
            library=backbone.library,
            preparation=f"{self._preparation} {version(self._preparation)}",
        )

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
