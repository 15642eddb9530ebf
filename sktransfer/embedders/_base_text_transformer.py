"""Base class of the transformers whose output is a column of texts."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sktransfer import _runtime
from sktransfer._compat import CallbackSupportMixin, gives_frames, with_callbacks
from sktransfer.base import ColumnEstimator
from sktransfer.cache import open_cache
from sktransfer.columns import Column
from sktransfer.compute import CellErrors, Runner, TextPlan, digest_column
from sktransfer.embedders._progress import progress
from sktransfer.lazy import LazyMixin, OutputSpec, sample


class BaseTextTransformer(LazyMixin, CallbackSupportMixin, TransformerMixin, ColumnEstimator):
    """A transformer of one column to texts, each distinct cell computed once.

    A subclass adds its parameters, the model and its call, and the key of its texts in the cache.
    """

    batch_size: Any

    def fit(self, X: Any, y: Any = None) -> Self:
        """Validate the parameters and the column, and load the model; compute no row.

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
        """Fit to a column, and return its texts.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n,), object
            As `transform` returns.
        """
        return self._texts(*self._fit_column(X), fitting=(X, y))

    def transform(self, X: Any) -> np.ndarray:
        """Return the texts of a column.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n,), object
            Per row a str, or what else the class says. None for a bad cell with
            ``on_error="nan"``.
        """
        return self._texts(*self._check_call(X))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the name of the column of texts: that of the column given, or "text".

        Parameters
        ----------
        input_features : array-like of one str, optional
            Name of the column, if `fit` got none.

        Returns
        -------
        ndarray of shape (1,), str objects
        """
        check_is_fitted(self)
        is_named = input_features is not None or self._seen_name is not None
        name = self._name_of_column(input_features) if is_named else "text"
        return np.array([name], dtype=object)

    @abstractmethod
    def _space(self, model: Any) -> bytes:
        """Return the key under which the cache stores these texts."""

    @abstractmethod
    def _compute(self, model: Any, inputs: Any) -> list[str]:
        """Return one text per row, as the cache stores it, of prepared cells."""

    def _read(self, text: str) -> Any:
        """Return what a text of the cache is in the output."""
        return text

    def _fit_column(self, X: Any) -> tuple[Column, Any]:
        self._validate_params()
        column = self._modality().column(X)
        model = self._get_backbone()
        self._n_features_out = 1
        self.fingerprint_ = model.fingerprint
        self._remember(column)
        return column, model

    def _output_spec(self, method: str) -> OutputSpec:
        (name,) = self.get_feature_names_out()
        is_frame = gives_frames(self)
        return OutputSpec(np.dtype(object), [name] if is_frame else None, is_frame, name)

    def _texts(
        self, column: Column, model: Any, fitting: tuple[Any, Any] | None = None
    ) -> np.ndarray:
        cache, modality = open_cache(self.cache), self._modality()
        errors = CellErrors(column, self.on_error)
        cells = digest_column(modality, column, cache, errors)
        plan = TextPlan(cache, self._space(model), cells.digests)
        runner = Runner(modality.bind(model), cells, errors, self._torch_device(), self.batch_size)

        def texts(inputs: Any) -> np.ndarray:
            return np.array(self._compute(model, inputs), dtype=object)

        counts = {"asked": len(cells.digests), "todo": len(plan.todo)}
        with progress(self, fitting=fitting, **counts) as advance, _runtime.undisturbed():
            if plan.todo:
                plan.fill(runner.run(texts, plan.batches(runner)), advance)
        runner.warn("returned as None")
        found = np.empty(len(cells.digests), dtype=object)
        for row, text in enumerate(plan.rows()):
            found[row] = None if text is None else self._read(text)
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
