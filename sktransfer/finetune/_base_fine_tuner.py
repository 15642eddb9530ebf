"""Base class of the fine-tuners: a network trained on targets."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

from sktransfer._compat import Interval, with_callbacks
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import BaseTrainer

if TYPE_CHECKING:
    from sktransfer.training import FineTuned, Phase
    from sktransfer.training.targets import Target


@with_parameters
class BaseFineTuner(BaseTrainer):
    """A pretrained network with a head, fine-tuned on one column and a target per row."""

    probe_epochs: int = parameter(Interval(Integral, 0, None, closed="left"), default=0)
    mixup: float = parameter(Interval(Real, 0, None, closed="left"), default=0.0)
    dropout: float = parameter(Interval(Real, 0, 1, closed="left"), default=0.0)

    # Parameters of classifiers.
    contrastive_epochs = 0
    label_smoothing = 0.0

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fine-tune on a column.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : array-like of shape (n,) or (n, k)
            Targets.
        X_val, y_val : column and array-like, optional
            Validation data, evaluated after each epoch, in place of a part of `X`.
        sample_weight : array-like of shape (n,), optional
            Weight of each row in the loss.
        groups : array-like of shape (n,), optional
            Group of each row; a group is not split when a part of `X` is held out.

        Returns
        -------
        self
        """
        self._validate_all()
        continues = self.warm_start and self.__sklearn_is_fitted__()
        return self._train(
            X,
            y,
            sample_weight=sample_weight,
            validation=(X_val, y_val),
            groups=groups,
            epochs=self.max_epochs,
            continues=continues,
            prepare=not continues,
        )

    def _partial_fit(self, X: Any, y: Any, **options: Any) -> Self:
        """Train for one more epoch."""
        continues = self.__sklearn_is_fitted__()
        return self._train(X, y, epochs=1, continues=continues, **options)

    def _phases(self, module: FineTuned, target: Target | None, **options: Any) -> list[Phase]:
        from sktransfer.training import supervised_phases

        assert target is not None
        return supervised_phases(self, module, target, **options)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
