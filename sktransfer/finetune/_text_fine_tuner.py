"""Base class of the fine-tuners of texts."""

from sktransfer._compat import StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer.base import TextColumnEstimator


@with_parameters
class TextFineTuner(TextColumnEstimator):
    """A fine-tuner whose cells are texts."""

    augment: str | None = parameter(StrOptions({"token_dropout"}), None, default=None)
