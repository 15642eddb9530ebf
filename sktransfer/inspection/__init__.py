"""Looking at what estimators learn, and at what to set before they do."""

from sktransfer.inspection._find_lr import LearningRateDisplay, find_lr
from sktransfer.inspection._history import HistoryDisplay

__all__ = ["HistoryDisplay", "LearningRateDisplay", "find_lr"]
