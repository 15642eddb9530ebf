"""Training on several columns of a table together, to predict classes or labels."""

from typing import ClassVar

from sktransfer._parameters import with_parameters
from sktransfer._public import public
from sktransfer.finetune import ClassifierOfRows
from sktransfer.tables._mixed_trainer import MixedTrainer


@public
@with_parameters
class MixedClassifier(ClassifierOfRows, MixedTrainer):
    """TODO."""

    _kind: ClassVar[int] = 0
