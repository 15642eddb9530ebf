"""What a fine-tuned network says about classes."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat import Interval, StrOptions
from sktransfer.exceptions import BadCellError, TargetError
from sktransfer.finetune._base import BaseFineTuner
from sktransfer.lazy import OutputSpec

if TYPE_CHECKING:
    from sktransfer.finetune._tasks import Task


class FineTunedClassifier(ClassifierMixin, BaseFineTuner):
    """A fine-tuner whose targets are classes, or any number of labels a row."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseFineTuner._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "contrastive_epochs": [Interval(Integral, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    class_weight: dict | list | str | None
    classes_: np.ndarray

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
            All classes there will ever be, at the first call; without them, those of `y`.
        sample_weight : array-like of shape (n,), optional
            How much each row counts in the loss.

        Returns
        -------
        self
        """
        from sktransfer.finetune._targets import short
        from sktransfer.finetune._tasks import ClassTask

        self._validate_all()
        going_on = self.__sklearn_is_fitted__()
        name = type(self).__name__
        task = None if classes is None else ClassTask.of(classes, name, warn=False)
        if going_on and task is not None and not np.array_equal(task.classes, self.classes_):
            raise TargetError(
                f"`classes={short(task.classes)}` is not the same as on the last call to "
                f"partial_fit, was: {short(self.classes_)}."
            )
        return self._train(
            X, y, sample_weight=sample_weight, epochs=1, going_on=going_on, task=task
        )

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest class of each row, or a matrix of labels.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n,), or (n, k) of int
        """
        check_is_fitted(self)
        outputs = self._run(X, head=True)
        bad = np.flatnonzero(np.isnan(outputs).any(axis=1))
        if len(bad):
            raise BadCellError(
                f"row {bad[0]}: no class stands for a cell that cannot be used "
                f"({len(bad)} such rows). predict_proba gives NaN for them; or leave them out.",
                row=int(bad[0]),
            )
        if self._has_labels():
            return (outputs > 0).astype(np.int64)
        return self.classes_[outputs.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class; they sum to 1, those of labels do not.

        Parameters
        ----------
        X : column of n cells
            See the class.

        Returns
        -------
        ndarray of shape (n, k), float64
        """
        import torch

        check_is_fitted(self)
        outputs = torch.from_numpy(self._run(X, head=True).astype(np.float64))
        return self._task.shares(outputs).numpy()

    def _learn_task(self, y: Any, weights: np.ndarray) -> Task:
        from sktransfer.finetune._targets import is_labels
        from sktransfer.finetune._tasks import ClassTask, LabelTask

        if self.contrastive_epochs and self.trainable in ("head", 0):
            raise TargetError(
                f"contrastive_epochs={self.contrastive_epochs} trains opened stages, and "
                f"trainable={self.trainable!r} opens none; set it to an integer or 'all'."
            )
        if not is_labels(y):
            return ClassTask.of(y, type(self).__name__)
        if self.contrastive_epochs:
            raise TargetError("contrastive_epochs needs one class a row, not a matrix of labels.")
        return LabelTask.of(y)

    def _learned(self, task: Task) -> dict[str, Any]:
        return {**super()._learned(task), "classes_": task.classes}  # type: ignore[attr-defined]

    def _row_weights(self, y: Any, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.class_weight is None:
            return weights
        # Weights that are given do not depend on the rows.
        counted = rows if isinstance(self.class_weight, str) else None
        of_class = compute_sample_weight(self.class_weight, y, indices=counted)
        bad = np.flatnonzero(~(np.isfinite(of_class) & (of_class >= 0)))
        if len(bad):
            raise TargetError(
                f"class_weight gives row {bad[0]} of y the weight {of_class[bad[0]]:g}; weights "
                "must be numbers of 0 or more."
            )
        return weights * of_class

    def _stratify(self, y: Any) -> np.ndarray | None:
        values = np.asarray(y) if not hasattr(y, "toarray") else None
        return values if values is not None and values.ndim == 1 else None

    def _output_spec(self, method: str) -> OutputSpec:
        classes = [str(label) for label in self.classes_]
        if method == "predict_proba":
            return OutputSpec(np.dtype(np.float64), classes)
        if method != "predict":
            return super()._output_spec(method)
        if self._has_labels():
            return OutputSpec(np.dtype(np.int64), classes)
        return OutputSpec(self.classes_.dtype, None)

    def _has_labels(self) -> bool:
        from sktransfer.finetune._tasks import LabelTask

        return isinstance(self._task, LabelTask)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
