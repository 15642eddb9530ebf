"""Classifiers that know their classes by name."""

from sktransfer.zero_shot._zero_shot_classifier import ZeroShotClassifier

__all__ = ["ZeroShotClassifier"]
