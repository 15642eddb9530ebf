"""Pretrained networks fine-tuned as scikit-learn classifiers and regressors."""

from sktransfer.finetune._base_fine_tuner import BaseFineTuner
from sktransfer.finetune._classifier import FineTunedClassifier
from sktransfer.finetune._image_classifier import ImageClassifier
from sktransfer.finetune._image_regressor import ImageRegressor
from sktransfer.finetune._regressor import FineTunedRegressor
from sktransfer.finetune._text_classifier import TextClassifier
from sktransfer.finetune._text_regressor import TextRegressor

__all__ = [
    "BaseFineTuner",
    "FineTunedClassifier",
    "FineTunedRegressor",
    "ImageClassifier",
    "ImageRegressor",
    "TextClassifier",
    "TextRegressor",
]
