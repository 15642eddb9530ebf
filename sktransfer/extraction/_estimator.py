"""What all estimators of one column have in common: its name, its width, its backbone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sktransfer import _runtime
from sktransfer._compat import HasMethods, StrOptions, gives_frames
from sktransfer.cells import Column
from sktransfer.exceptions import ColumnError, WeightsError
from sktransfer.extraction._reader import Reader
from sktransfer.extraction._state import state_hooks
from sktransfer.lazy import Form

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Backbone


class ColumnEstimator(BaseEstimator):
    """An estimator whose ``X`` is one column of cells, seen through a backbone."""

    # skrub's TableVectorizer and ApplyToCols hand over one column at a time on this mark.
    __single_column_transformer__ = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [
            str,
            PathLike,
            HasMethods(["forward", "state_dict"]),
            HasMethods("__sktransfer_backbone__"),
        ],
        "weights": [str, PathLike, None],
        "precision": [StrOptions({"float32", "bfloat16", "auto"})],
        "device": [str],
        "cache": ["boolean", str, PathLike],
        "on_error": [StrOptions({"raise", "nan"})],
        "verbose": ["verbose"],
    }

    # Parameters of the subclasses; scikit-learn reads them from their __init__.
    backbone: Any
    weights: str | Path | None
    precision: str
    device: str
    cache: bool | str | Path
    on_error: str
    verbose: int

    # Learned in fit.
    fingerprint_: str
    _n_features_out: int

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

    @property
    def _read_together(self) -> int | str:
        """How many cells go through the frozen network together: of an embedder, its batch size."""
        return "auto"

    def _torch_device(self) -> torch.device:
        """Return where it computes."""
        return _runtime.resolve_device(self.device)

    @abstractmethod
    def _reader(self) -> Reader:
        """Return how cells are read and prepared, by this estimator's parameters."""

    def _remember(self, column: Column) -> None:
        """Set what scikit-learn wants to know of the column of the fit."""
        self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(self._seen(column))

    def _seen(self, column: Column) -> dict[str, Any]:
        """Return it, as attributes of the estimator."""
        seen: dict[str, Any] = {"n_features_in_": column.n_features, "_seen_name": column.name}
        if column.is_frame and column.n_features == 1:
            seen["feature_names_in_"] = np.array([column.name], dtype=object)
        return seen

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

    def _promise(self, method: str, X: Any) -> Form:
        """Return what a method will give for a column like X; the same errors, but those of cells.

        Parameters
        ----------
        method : str
            Name of a method that takes a column.
        X : column
            Its values do not matter.
        """
        check_is_fitted(self)
        self._validate_params()
        self._check_column(X)
        self._fitted_backbone()
        return self._form(method)

    def _form(self, method: str) -> Form:
        """Return what a method gives for each cell."""
        names = self.get_feature_names_out().tolist()
        return Form(np.dtype(np.float32), names, as_frame=gives_frames(self))

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
        from sktransfer.backbones import adopted

        came = adopted(self.fingerprint_, self.backbone, self.weights)
        backbone = came or self._get_backbone()
        if backbone.fingerprint != self.fingerprint_:
            raise WeightsError(
                f"{backbone.name!r} is not what this {type(self).__name__} was fitted with: its "
                "weights, or what a module keeps beside them (attributes, hooks), have changed "
                f"since (fingerprint {backbone.fingerprint}, fitted with {self.fingerprint_}). "
                "Restore it, or fit again."
            )
        return backbone

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        hooks = state_hooks()
        return hooks.on_getstate(self, state) if hooks else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        hooks = state_hooks()
        if hooks:
            hooks.on_setstate(self)

    def __dask_tokenize__(self) -> object:
        """Return what tells this estimator from others, for the names of dask's tasks."""
        state = dict(self.__getstate__())
        # The pickle of a module is another one in each process, its fingerprint is not.
        state["backbone"] = getattr(self, "fingerprint_", self.backbone)
        return type(self).__qualname__, state

    def _complete(self, find: Callable[[Any], Any]) -> None:
        """Rebuild what the state leaves out, and check the fingerprint of the backbone.

        `find` returns trained weights by the reference to them in the state.
        """
        if self.__sklearn_is_fitted__():
            self._fitted_backbone()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fingerprint_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags
