"""Base class of the fine-tuners of images."""

from typing import Any

from sktransfer._compat import StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import ImageColumnEstimator


@with_parameters
class ImageFineTuner(ImageColumnEstimator):
    """A fine-tuner whose cells are images."""

    augment: Any = parameter(StrOptions({"light", "standard"}), callable, None, default=None)
