"""Base class of the fine-tuners: a network trained on targets."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat import Interval, StrOptions, with_callbacks
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import BaseTrainer, TrainerMixin
from sktransfer.exceptions import BackboneError, TargetError

if TYPE_CHECKING:
    from sktransfer.training import FineTuned, Phase
    from sktransfer.training.objectives import Objective
    from sktransfer.training.targets import Target


@with_parameters
class FineTunerMixin(TrainerMixin):
    """Mixin of estimators that train on a target per row: `fit`, its phases and its objective."""

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
        y : array-like of n targets
            One per row; of what form, the class says.
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

    def _phases(  # type: ignore[override]
        self,
        module: FineTuned,
        target: Target,
        *,
        epochs: int,
        prepare: bool,
        done: int,
        random: np.random.RandomState,
    ) -> list[Phase]:
        from sktransfer.training import Phase
        from sktransfer.training.objectives import SupervisedContrastive

        opened, objective = module.opened, self._objective(target, random)
        phases: list[Phase] = []
        contrasts = prepare and bool(self.contrastive_epochs)
        if contrasts:
            if not any(p.requires_grad for p in module.network.parameters()):
                raise BackboneError(
                    f"contrastive_epochs trains opened stages, and {', '.join(opened)} "
                    "have no weights. Open more of them."
                )
            contrastive = SupervisedContrastive()
            phases.append(Phase(contrastive.name, contrastive, [opened] * self.contrastive_epochs))
        if opened and prepare and self.probe_epochs:
            phases.append(Phase("probe", objective, [()] * self.probe_epochs))
        if contrasts:
            # Training more of the network would undo the contrastive epochs.
            return [*phases, Phase("head", objective, [()] * epochs)]
        name = "gradual" if module.is_gradual else objective.name
        return [*phases, Phase(name, objective, module.epochs(epochs, done))]

    def _objective(self, target: Target, random: np.random.RandomState) -> Objective:
        from sktransfer.training import processes
        from sktransfer.training.objectives import Mixup, Supervised

        if not self.mixup:
            return Supervised(target, self.label_smoothing)
        return Mixup(
            target,
            self.label_smoothing,
            alpha=self.mixup,
            random=processes().own(random),
            blends_inputs=self._blends_inputs(),
        )

    def _trained_target(self) -> Target:
        """Return the target, or raise if there is no head to predict it."""
        check_is_fitted(self)
        if self._target is None:
            raise TargetError(
                f"This {type(self).__name__} is a tower of a model of several columns and has no "
                "head of its own. Use its transform, or predict with the whole model."
            )
        return self._target

    def _blends_inputs(self) -> bool:
        """Return whether mixup blends network inputs, and not features."""
        return False

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


@with_parameters
class BaseFineTuner(FineTunerMixin, BaseTrainer):
    """A pretrained network with a head, fine-tuned on one column and a target per row."""

    reuse_activations: Any = parameter("boolean", StrOptions({"auto"}), default="auto")

    def _blends_inputs(self) -> bool:
        return self._modality().can_blend
