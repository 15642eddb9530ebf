"""Base class of the fine-tuners of sounds."""

from typing import Any

from sktransfer._compat import StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import AudioColumnEstimator


@with_parameters
class AudioFineTuner(AudioColumnEstimator):
    """A fine-tuner whose cells are sounds."""

    augment: Any = parameter(StrOptions({"light", "standard"}), callable, None, default=None)
