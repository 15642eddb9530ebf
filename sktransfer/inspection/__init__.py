"""Displays of training histories, and a learning rate range test."""

from sktransfer.inspection._find_lr import LearningRateDisplay, find_lr
from sktransfer.inspection._history import HistoryDisplay

__all__ = ["HistoryDisplay", "LearningRateDisplay", "find_lr"]
