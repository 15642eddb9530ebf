"""What the fine-tuners of texts have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from sktransfer._compat import StrOptions
from sktransfer.extraction import TextColumnEstimator
from sktransfer.finetune._augment import text_augmentation


class TextFineTuner(TextColumnEstimator):
    """A fine-tuner whose cells are texts."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TextColumnEstimator._parameter_constraints,
        "augment": [StrOptions({"token_dropout"}), None],
    }

    # A parameter of the subclasses; scikit-learn reads it from their __init__.
    augment: Any

    def _augmentation(self) -> Any:
        return text_augmentation(self.augment)
