"""Base classes of the estimators of one column: parameters and fitted attributes they share."""

from sktransfer.base._column_estimator import ColumnEstimator
from sktransfer.base._image_estimator import ImageColumnEstimator
from sktransfer.base._text_estimator import TextColumnEstimator

__all__ = ["ColumnEstimator", "ImageColumnEstimator", "TextColumnEstimator"]
