"""Training on several columns of a table together, to predict numbers."""

from typing import ClassVar

from sktransfer._parameters import with_parameters
from sktransfer._public import public
from sktransfer.finetune import RegressorOfRows
from sktransfer.tables._mixed_trainer import MixedTrainer


@public
@with_parameters
class MixedRegressor(RegressorOfRows, MixedTrainer):
    """TODO."""

    _kind: ClassVar[int] = 1
