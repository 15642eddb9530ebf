"""Gradual unfreezing: one more stage per epoch, from the top."""

from __future__ import annotations

from typing import ClassVar

from sktransfer.training.strategies._strategy import Stages, Strategy


class Gradual(Strategy):
    """Opens all stages, one more in each epoch.

    References
    ----------
    Howard and Ruder, Universal Language Model Fine-tuning for Text Classification, 2018,
    https://arxiv.org/abs/1801.06146
    """

    name: ClassVar[str] = "gradual"

    def epochs(self, opened: Stages, count: int, done: int) -> list[Stages]:
        """Return the last stage, the last two, and so on."""
        numbers = [min(done + epoch, len(opened)) for epoch in range(1, count + 1)]
        return [opened[len(opened) - number :] for number in numbers]
