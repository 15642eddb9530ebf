"""The head, or the head and the last stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sktransfer.training.strategies._strategy import Stages, Strategy


class LastStages(Strategy):
    """Trains the head and the last `count` stages; with 0, the head alone."""

    name: ClassVar[str] = "stages"

    def __init__(self, count: int = 0) -> None:
        self.count = count

    def opened(self, stages: Sequence[str]) -> Stages:
        """Return the last stages."""
        return tuple(stages[max(0, len(stages) - self.count) :])
