"""Base classes of the estimators of one column: parameters, fitted attributes and state."""

from sktransfer.base._audio_estimator import AudioColumnEstimator as AudioColumnEstimator
from sktransfer.base._column_estimator import ColumnEstimator as ColumnEstimator
from sktransfer.base._fitted import fit_transform as fit_transform
from sktransfer.base._fitted import fitted as fitted
from sktransfer.base._fitted import is_fitted as is_fitted
from sktransfer.base._image_estimator import ImageColumnEstimator as ImageColumnEstimator
from sktransfer.base._state_hooks import StateHooks as StateHooks
from sktransfer.base._state_hooks import use_state_hooks as use_state_hooks
from sktransfer.base._text_estimator import TextColumnEstimator as TextColumnEstimator
from sktransfer.base._trainer import BaseTrainer as BaseTrainer
from sktransfer.base._trainer_mixin import TrainerMixin as TrainerMixin
from sktransfer.base._watched import watched as watched
