"""Base class of the estimators of one column: its name, its width and its backbone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from enum import Enum
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sktransfer import _runtime
from sktransfer._compat import HasMethods, StrOptions, check_feature_names_in, gives_frames
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer.base._state_hooks import state_hooks
from sktransfer.base._watched import report
from sktransfer.columns import Column
from sktransfer.exceptions import BackboneError, ColumnError, WeightsError
from sktransfer.lazy import OutputSpec
from sktransfer.modalities import Modality

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone


@with_parameters
class ColumnEstimator(BaseEstimator):
    """An estimator whose `X` is one column of cells, and whose features come from a backbone."""

    # skrub's TableVectorizer and ApplyToCols pass one column at a time to such transformers.
    __single_column_transformer__ = True

    backbone: Any = parameter(
        str,
        PathLike,
        HasMethods(["forward", "state_dict"]),
        HasMethods("__sktransfer_backbone__"),
        kw_only=False,
    )
    weights: str | Path | Enum | None = parameter(str, PathLike, Enum, None, default="pretrained")
    precision: str = parameter(StrOptions({"float32", "bfloat16", "auto"}), default="float32")
    device: str = parameter(str, default="auto")
    cache: bool | str | Path = parameter("boolean", str, PathLike, default=True)
    on_error: str = parameter(StrOptions({"raise", "nan"}), default="raise")
    verbose: int = parameter("verbose", default=0)

    n_features_in_: int = fitted()
    feature_names_in_: np.ndarray = fitted()
    fingerprint_: str = fitted()
    _n_features_out: int = fitted()
    _seen_name: Any = fitted()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parameters of estimators among them too.

        Returns
        -------
        dict of str to object
        """
        params = super().get_params(deep=False)
        if not deep:
            return params
        # Only of estimators: torchvision's transforms have another method of that name.
        inner = {n: value for n, value in params.items() if isinstance(value, BaseEstimator)}
        return params | {
            f"{name}__{key}": value
            for name, estimator in inner.items()
            for key, value in estimator.get_params().items()
        }

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features, ``<column>_<i>``.

        Parameters
        ----------
        input_features : array-like of one str, optional
            Name of the column, if `fit` got none.

        Returns
        -------
        ndarray of str objects
        """
        column = self._name_of_column(input_features)
        return np.array([f"{column}_{i}" for i in range(self._n_features_out)], dtype=object)

    def _name_of_column(self, input_features: Any) -> str:
        check_is_fitted(self)
        if input_features is None and self._seen_name is not None:
            input_features = [str(self._seen_name)]
        names = check_feature_names_in(self, input_features)
        return names[0] if len(names) == 1 else self._modality().name

    def _torch_device(self) -> torch.device:
        """Return the device of the computation."""
        return _runtime.resolve_device(self.device)

    @abstractmethod
    def _modality(self) -> Modality:
        """Return what reads the cells, made from this estimator's parameters."""

    def _remember(self, column: Column) -> None:
        """Set scikit-learn's attributes of the column that was passed to `fit`."""
        self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(self._seen(column))

    def _seen(self, column: Column) -> dict[str, Any]:
        """Return these attributes by name."""
        seen: dict[str, Any] = {"n_features_in_": column.n_features, "_seen_name": column.name}
        if column.is_frame and column.n_features == 1:
            seen["feature_names_in_"] = np.array([column.name], dtype=object)
        return seen

    def _check_column(self, X: Any) -> Column:
        column = self._modality().column(X)
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

    def _check_call(self, X: Any) -> tuple[Column, Backbone]:
        """Check the estimator and the kind of the column X, before a method computes on it."""
        check_is_fitted(self)
        self._validate_params()  # parameters may have been set since `fit`
        column = self._check_column(X)
        report(self, column)
        return column, self._fitted_backbone()

    def _output_spec(self, method: str) -> OutputSpec:
        """Return the type and the names of what `method` returns per row."""
        names = self.get_feature_names_out().tolist()
        return OutputSpec(np.dtype(np.float32), names, as_frame=gives_frames(self))

    def _get_backbone(self) -> Backbone:
        from sktransfer.backbones import get_backbone

        if self.backbone is self:
            raise BackboneError(
                f"backbone= of this {type(self).__name__} is this estimator itself. Train it "
                "further with warm_start=True, or give its network to another estimator."
            )
        return get_backbone(self.backbone, weights=self.weights, modality=self._modality().name)

    def _fitted_backbone(self) -> Backbone:
        """Return the backbone of the fit, or raise if the parameters now select another one."""
        from sktransfer.backbones import find_from_file

        from_file = find_from_file(self.fingerprint_, self.backbone, self.weights)
        backbone = from_file or self._get_backbone()
        if backbone.fingerprint != self.fingerprint_:
            raise WeightsError(
                f"{backbone.name!r} is not what this {type(self).__name__} was fitted with: its "
                "weights, or what a module keeps beside them (attributes, hooks), have changed "
                f"since (fingerprint {backbone.fingerprint}, fitted with {self.fingerprint_}). "
                "Restore it, or fit again."
            )
        return backbone

    def __getstate__(self) -> dict[str, Any]:
        return state_hooks().on_getstate(self, dict(super().__getstate__()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        state_hooks().on_setstate(self)

    def __dask_tokenize__(self) -> object:
        """Return a token of this estimator, for dask's task names."""
        state = dict(self.__getstate__())
        # The pickle of a module differs between processes, its fingerprint does not.
        state["backbone"] = getattr(self, "fingerprint_", self.backbone)
        return type(self).__qualname__, state

    def _restore(self, find: Callable[[Any], Any]) -> None:
        """Restore the weights that the state leaves out.

        Parameters
        ----------
        find : callable
            Maps the placeholder of trained weights in the state to the weights.
        """

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fingerprint_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags
