"""Pretrained networks that learn, as scikit-learn classifiers and regressors."""

from sktransfer.finetune._image_classifier import ImageClassifier
from sktransfer.finetune._image_regressor import ImageRegressor
from sktransfer.finetune._text_classifier import TextClassifier
from sktransfer.finetune._text_regressor import TextRegressor

__all__ = [
    "ImageClassifier",
    "ImageRegressor",
    "TextClassifier",
    "TextRegressor",
]
