"""Functions on a backbone: what is opened for training, and how fast each part learns."""

from sktransfer.adapt._groups import parameter_groups
from sktransfer.adapt._head import Head
from sktransfer.adapt._opened import FineTuned, cut_below, opened_stages

__all__ = [
    "FineTuned",
    "Head",
    "cut_below",
    "opened_stages",
    "parameter_groups",
]
