"""What all embedders share: a column in, one feature row a cell out, each computed once."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import gen_batches

from sktransfer import _runtime
from sktransfer._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    with_callbacks,
)
from sktransfer.cache import FeatureCache, open_cache
from sktransfer.cells import Column
from sktransfer.embedders._progress import progress
from sktransfer.engines import ENGINES, OPENVINO, check_engine, engine_device
from sktransfer.exceptions import BackboneError
from sktransfer.extraction import (
    ROWS_TOGETHER,
    ColumnEstimator,
    ConvertedExtraction,
    Extraction,
    Failures,
    Lookup,
)
from sktransfer.lazy import LazyMixin, sample

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone


class BaseEmbedder(LazyMixin, CallbackSupportMixin, TransformerMixin, ColumnEstimator):
    """A frozen backbone as a transformer of one column.

    A subclass has the parameters, and says in `_reader` how its cells are read. Everything
    else is here.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ColumnEstimator._parameter_constraints,
        "layer": [str, Interval(Integral, None, None, closed="neither")],
        "pooling": [StrOptions({"default", "mean", "max", "cls", "flatten"})],
        "normalize": ["boolean"],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "engine": [StrOptions(set(ENGINES))],
    }

    # The parameters are those of the subclasses; scikit-learn reads them from their __init__.
    layer: str | int
    pooling: str
    normalize: bool
    batch_size: int | str
    engine: str = "torch"  # of an embedder from before there was another

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
        self._fit_column(sample(X))
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
        return self._embed(*self._check_call(X))

    # Fitting ---------------------------------------------------------------------------------

    def _fit_column(self, X: Any) -> tuple[Column, Backbone]:
        self._validate_params()
        column = self._reader().column(X)
        backbone = self._get_backbone()
        self._reader().recipe(backbone)
        check_engine(self.engine)
        self._torch_device()
        self._n_features_out = self._width(backbone)
        self.fingerprint_ = backbone.fingerprint
        self._remember(column)
        return column, backbone

    def _fitted_backbone(self) -> Backbone:
        """Return the backbone of the fit, or raise if the parameters mean another one now."""
        backbone = super()._fitted_backbone()
        if self._width(backbone) != self._n_features_out:
            raise BackboneError(
                f"layer={self.layer!r} with pooling={self.pooling!r} gives "
                f"{self._width(backbone)} features, and this {type(self).__name__} was fitted "
                f"for {self._n_features_out}. Fit again after setting parameters."
            )
        return backbone

    @property
    def _read_together(self) -> int | str:
        return self.batch_size

    def _torch_device(self) -> torch.device:
        return engine_device(self.engine, self.device)

    def _width(self, backbone: Backbone) -> int:
        return self._reader().width(backbone, self.layer, self.pooling)

    # Computing -------------------------------------------------------------------------------

    def _embed(
        self, column: Column, backbone: Backbone, fitting: tuple[Any, Any] | None = None
    ) -> np.ndarray:
        cache = open_cache(self.cache)
        extraction = self._extraction(backbone, cache)
        failures = Failures(column, self.on_error)
        reading = extraction.reader.read(column, cache, failures)
        lookup = Lookup(cache, extraction.space, reading.digests, self._n_features_out)
        if lookup.todo:
            asked, extraction = extraction, extraction.get_ready()
            if extraction is not asked:
                lookup.look_in(extraction.space)
        todo = lookup.todo
        shown = progress(self, asked=len(reading.digests), todo=len(todo), fitting=fitting)
        # Other jobs of a cross-validation want the same rows: each computes some, for all.
        due = lookup.due if cache.folder and _runtime.may_be_one_of_several_jobs() else None
        with shown as advance, _runtime.undisturbed():
            lookup.fill(extraction.compute(reading, todo, failures, advance, due))
        failures.warn(reading.digests)
        return self._normalized(lookup.rows())

    def _extraction(self, backbone: Backbone, cache: FeatureCache) -> Extraction:
        check_engine(self.engine)
        device = self._torch_device()
        precision = _runtime.resolve_precision(self.precision, device)
        how = (self._reader(), backbone, self.layer, self.pooling, device, precision)
        if self.engine == OPENVINO:
            return ConvertedExtraction(*how, folder=cache.folder)
        return Extraction(*how)

    def _normalized(self, rows: np.ndarray) -> np.ndarray:
        if self.normalize:
            for part in gen_batches(len(rows), ROWS_TOGETHER):
                lengths = np.linalg.norm(rows[part], axis=1, keepdims=True)
                rows[part] /= np.where(lengths == 0, 1, lengths)
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
