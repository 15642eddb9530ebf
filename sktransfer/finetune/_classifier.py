"""Base class of the fine-tuners whose targets are classes or labels."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight

from sktransfer._compat import Interval, StrOptions
from sktransfer._parameters import fitted, parameter, with_parameters
from sktransfer.exceptions import BadCellError, TargetError
from sktransfer.finetune._base_fine_tuner import BaseFineTuner, FineTunerMixin
from sktransfer.lazy import OutputSpec

if TYPE_CHECKING:
    from sktransfer.training import Training
    from sktransfer.training.targets import Target


@with_parameters
class ClassifierOfRows(ClassifierMixin, FineTunerMixin):
    """Mixin of fine-tuners whose targets are classes, or any number of labels per row."""

    class_weight: dict | list | str | None = parameter(
        dict, list, StrOptions({"balanced"}), None, default=None
    )
    label_smoothing: float = parameter(Interval(Real, 0, 1, closed="left"), default=0.0)

    classes_: np.ndarray = fitted()

    def partial_fit(
        self, X: Any, y: Any, *, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train for one more epoch.

        Parameters
        ----------
        X : column of n cells
            See the class.
        y : array-like of shape (n,) or (n, k)
            Targets.
        classes : array-like, optional
            All classes of all calls, in the first call. None: those of `y`.
        sample_weight : array-like of shape (n,), optional
            Weight of each row in the loss.

        Returns
        -------
        self
        """
        from sktransfer.training.targets import ClassTarget, as_numpy, short

        self._validate_all()
        target = None
        if classes is not None:
            target = ClassTarget.learn(as_numpy(classes), type(self).__name__, warn=False)
            is_other = not np.array_equal(target.classes, getattr(self, "classes_", target.classes))
            if self.__sklearn_is_fitted__() and is_other:
                raise TargetError(
                    f"`classes={short(target.classes)}` is not the same as on the last call to "
                    f"partial_fit, was: {short(self.classes_)}."
                )
        return self._partial_fit(X, y, sample_weight=sample_weight, target=target)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class per row, or a matrix of labels.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n,), or (n, k) of int
        """
        proba = self.predict_proba(X)
        bad = np.flatnonzero(np.isnan(proba).any(axis=1))
        if len(bad):
            raise BadCellError(
                f"row {bad[0]}: there is no class for a cell that cannot be used "
                f"({len(bad)} such rows). predict_proba gives NaN for them; or leave them out.",
                row=int(bad[0]),
            )
        labels = self._trained_target().to_labels(proba)
        return labels if labels.ndim == 2 else self.classes_[labels]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class per row; of classes, not of labels, they sum to 1.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n, k), float64
        """
        import torch

        target = self._trained_target()
        outputs = torch.from_numpy(self._outputs(X, head=True).astype(np.float64))
        return target.to_proba(outputs).numpy()

    def _learn_target(self, y: Any, weights: np.ndarray) -> Target:
        from sktransfer.training.targets import ClassTarget, LabelTarget, is_label_matrix

        if not is_label_matrix(y):
            return ClassTarget.learn(y, type(self).__name__)
        if self.contrastive_epochs:
            raise TargetError("contrastive_epochs needs one class per row, not a matrix of labels.")
        return LabelTarget.learn(y)

    def _fit_attributes(self, training: Training) -> dict[str, Any]:
        target: Any = training.train.target
        return {**super()._fit_attributes(training), "classes_": target.classes}

    def _row_weights(self, y: Any, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.class_weight is None:
            return weights
        # Explicit weights do not depend on the rows.
        counted = rows if isinstance(self.class_weight, str) else None
        try:
            of_class = compute_sample_weight(self.class_weight, y, indices=counted)
        except (TypeError, ValueError) as error:
            raise TargetError(f"class_weight={self.class_weight!r}: {error}") from error
        bad = np.flatnonzero(~(np.isfinite(of_class) & (of_class >= 0)))
        if len(bad):
            raise TargetError(
                f"class_weight gives row {bad[0]} of y the weight {of_class[bad[0]]:g}; weights "
                "must be numbers of 0 or more."
            )
        return weights * of_class

    def _output_spec(self, method: str) -> OutputSpec:
        classes = [str(label) for label in self.classes_]
        if method == "predict_proba":
            return OutputSpec(np.dtype(np.float64), classes)
        if method != "predict":
            return super()._output_spec(method)
        if self._target is not None and self._target.kind == "labels":
            return OutputSpec(np.dtype(np.int64), classes)
        return OutputSpec(self.classes_.dtype, None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@with_parameters
class FineTunedClassifier(ClassifierOfRows, BaseFineTuner):
    """A fine-tuner of one column whose targets are classes, or any number of labels per row."""

    contrastive_epochs: int = parameter(Interval(Integral, 0, None, closed="left"), default=0)

    def _learn_target(self, y: Any, weights: np.ndarray) -> Target:
        if self.contrastive_epochs and self.trainable in ("head", 0):
            raise TargetError(
                f"contrastive_epochs={self.contrastive_epochs} trains opened stages, and "
                f"trainable={self.trainable!r} opens none; set it to an integer or 'all'."
            )
        return super()._learn_target(y, weights)
