"""What the fine-tuners of images have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from sktransfer._compat import StrOptions
from sktransfer.extraction import ImageColumnEstimator
from sktransfer.finetune._augment import image_augmentation


class ImageFineTuner(ImageColumnEstimator):
    """A fine-tuner whose cells are images."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ImageColumnEstimator._parameter_constraints,
        "augment": [StrOptions({"light", "standard"}), callable, None],
    }

    # A parameter of the subclasses; scikit-learn reads it from their __init__.
    augment: Any

    def _augmentation(self) -> Any:
        return image_augmentation(self.augment)
