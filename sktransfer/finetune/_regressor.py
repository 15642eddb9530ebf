"""Base class of the fine-tuners whose targets are numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from sklearn.base import RegressorMixin

from sktransfer._parameters import with_parameters
from sktransfer.finetune._base_fine_tuner import BaseFineTuner, FineTunerMixin
from sktransfer.lazy import OutputSpec

if TYPE_CHECKING:
    from sktransfer.training.targets import ValueTarget


@with_parameters
class RegressorOfRows(RegressorMixin, FineTunerMixin):
    """Mixin of fine-tuners whose targets are one or several numbers per row."""

    def partial_fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train for one more epoch; targets are standardized as in the first call.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : array-like of shape (n,) or (n, k)
            Targets.
        sample_weight : array-like of shape (n,), optional
            Weight of each row in the loss.

        Returns
        -------
        self
        """
        self._validate_all()
        return self._partial_fit(X, y, sample_weight=sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions in the units of the targets.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n,) or (n, k), float64
            NaN for cells that cannot be used, with ``on_error="nan"``.
        """
        target = cast("ValueTarget", self._trained_target())
        return target.decode(self._outputs(X, head=True))

    def _learn_target(self, y: Any, weights: np.ndarray) -> ValueTarget:
        from sktransfer.training.targets import ValueTarget

        return ValueTarget.learn(y, weights)

    def _output_spec(self, method: str) -> OutputSpec:
        if method != "predict":
            return super()._output_spec(method)
        target = cast("ValueTarget", self._target)
        names = None if target.is_vector else [str(number) for number in range(target.n_outputs)]
        return OutputSpec(np.dtype(np.float64), names)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@with_parameters
class FineTunedRegressor(RegressorOfRows, BaseFineTuner):
    """A fine-tuner of one column whose targets are one or several numbers per row."""
