"""Base class of the embedders: one feature row per cell, each distinct cell computed once."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.extmath import row_norms

from sktransfer import _runtime
from sktransfer._compat import CallbackSupportMixin, Interval, StrOptions, with_callbacks
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import ColumnEstimator
from sktransfer.cache import FeatureCache, open_cache
from sktransfer.columns import Column
from sktransfer.compute import CellErrors, FeatureExtractor, RowPlan, Runner, digest_column
from sktransfer.compute.engines import ENGINES, OPENVINO, ConvertedExtractor, engine_device
from sktransfer.embedders._progress import progress
from sktransfer.exceptions import BackboneError
from sktransfer.lazy import LazyMixin, sample

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone


@with_parameters
class BaseEmbedder(LazyMixin, CallbackSupportMixin, TransformerMixin, ColumnEstimator):
    """A transformer of one column with a frozen backbone.

    A subclass adds the parameters of its modality, and returns in `_modality` what reads its cells.
    """

    layer: str | int = parameter(
        str, Interval(Integral, None, None, closed="neither"), default="pooled"
    )
    pooling: str = parameter(
        StrOptions({"default", "mean", "max", "cls", "flatten"}), default="default"
    )
    normalize: bool = parameter("boolean", default=False)
    batch_size: int | str = parameter(
        StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), default="auto"
    )
    engine: str = parameter(StrOptions(set(ENGINES)), default="torch")

    def fit(self, X: Any, y: Any = None) -> Self:
        """Validate the parameters and the column, and load the backbone; compute no row.

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
        """Fit to a column, and return its features.

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
            Each row depends on its own cell only.
        """
        return self._embed(*self._check_call(X))

    # Fitting ---------------------------------------------------------------------------------

    def _fit_column(self, X: Any) -> tuple[Column, Backbone]:
        self._validate_params()
        column = self._modality().column(X)
        backbone = self._get_backbone()
        self._torch_device()
        self._n_features_out = self._width(backbone)
        self.fingerprint_ = backbone.fingerprint
        self._remember(column)
        return column, backbone

    def _fitted_backbone(self) -> Backbone:
        """Return the backbone of the fit, or raise if the parameters now select another one."""
        backbone = super()._fitted_backbone()
        if self._width(backbone) != self._n_features_out:
            raise BackboneError(
                f"layer={self.layer!r} with pooling={self.pooling!r} gives "
                f"{self._width(backbone)} features, and this {type(self).__name__} was fitted "
                f"for {self._n_features_out}. Fit again after setting parameters."
            )
        return backbone

    def _torch_device(self) -> torch.device:
        return engine_device(self.engine, self.device)

    def _width(self, backbone: Backbone) -> int:
        recipe = self._modality().recipe(backbone)
        return backbone.width(self.layer, self.pooling, recipe)

    # Computing -------------------------------------------------------------------------------

    def _embed(
        self, column: Column, backbone: Backbone, fitting: tuple[Any, Any] | None = None
    ) -> np.ndarray:
        cache = open_cache(self.cache)
        plan = self._filled(self._extractor(backbone, cache), column, cache, fitting)
        return self._normalized(plan.rows())

    def _filled(
        self,
        extractor: FeatureExtractor,
        column: Column,
        cache: FeatureCache,
        fitting: tuple[Any, Any] | None = None,
    ) -> RowPlan:
        """Return a plan of the rows of a column, with all of them read or computed."""
        errors = CellErrors(column, self.on_error)
        cells = digest_column(extractor.modality, column, cache, errors)
        plan = extractor.plan(cache, cells.digests)
        if plan.todo:
            extractor = extractor.ready(plan)
        counts = {"asked": len(cells.digests), "todo": len(plan.todo)}
        preparer = extractor.modality.bind(extractor.backbone)
        parallelism = extractor.parallelism(self.batch_size)
        runner = Runner(preparer, cells, errors, extractor.device, self.batch_size, parallelism)
        with progress(self, fitting=fitting, **counts) as advance, _runtime.undisturbed():
            if plan.todo:
                computed = runner.run(extractor.features, plan.batches(runner))
                plan.fill(runner.finite(computed, extractor.precision), advance)
        runner.warn()
        return plan

    def _extractor(self, backbone: Backbone, cache: FeatureCache) -> FeatureExtractor:
        device = self._torch_device()
        precision = _runtime.resolve_precision(self.precision, device)
        how = (self._modality(), backbone, self.layer, self.pooling, device, precision)
        if self.engine == OPENVINO:
            return ConvertedExtractor(*how, cache=cache)
        return FeatureExtractor(*how)

    def _normalized(self, rows: np.ndarray) -> np.ndarray:
        if self.normalize:
            lengths = row_norms(rows)[:, np.newaxis]
            rows /= np.where(lengths == 0, 1, lengths)
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
