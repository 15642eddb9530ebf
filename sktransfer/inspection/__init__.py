"""Displays of training histories, and a learning rate range test."""

from sktransfer.inspection._find_lr import LearningRateDisplay as LearningRateDisplay
from sktransfer.inspection._find_lr import find_lr as find_lr
from sktransfer.inspection._history import HistoryDisplay as HistoryDisplay
