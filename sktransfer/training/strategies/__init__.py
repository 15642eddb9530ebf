"""What is trained of a network: one file per strategy, and one line in the table below."""

from __future__ import annotations

from sktransfer.training.strategies._gradual import Gradual as Gradual
from sktransfer.training.strategies._last_stages import LastStages as LastStages
from sktransfer.training.strategies._lora import LoRA as LoRA
from sktransfer.training.strategies._lora import merged as merged
from sktransfer.training.strategies._strategy import Stages as Stages
from sktransfer.training.strategies._strategy import Strategy as Strategy

#: Strategies by the values of the parameter `trainable`.
STRATEGIES: dict[str, Strategy] = {
    "head": LastStages(0),
    "all": Strategy(),
    "gradual": Gradual(),
    "lora": LoRA(),
}


def strategy_of(trainable: str | int) -> Strategy:
    """Return the strategy that `trainable` names; an integer opens as many of the last stages."""
    return STRATEGIES[trainable] if isinstance(trainable, str) else LastStages(trainable)
