"""Base classes of the estimators of one column: parameters, fitted attributes and state."""

from sktransfer.base._column_estimator import ColumnEstimator
from sktransfer.base._image_estimator import ImageColumnEstimator
from sktransfer.base._state_hooks import StateHooks, use_state_hooks
from sktransfer.base._text_estimator import TextColumnEstimator
from sktransfer.base._trainer import BaseTrainer

__all__ = [
    "BaseTrainer",
    "ColumnEstimator",
    "ImageColumnEstimator",
    "StateHooks",
    "TextColumnEstimator",
    "use_state_hooks",
]
