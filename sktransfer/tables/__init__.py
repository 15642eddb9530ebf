"""Whole tables: several columns learned together."""

from sktransfer.tables._mixed_classifier import MixedClassifier as MixedClassifier
from sktransfer.tables._mixed_regressor import MixedRegressor as MixedRegressor
