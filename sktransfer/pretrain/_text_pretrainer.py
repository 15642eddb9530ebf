"""Training on a column of texts without labels."""

from numbers import Real
from typing import Any

from sktransfer._compat import HasMethods, Interval, StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import TextColumnEstimator
from sktransfer.pretrain._base_pretrainer import BasePretrainer


@public
@with_parameters
class TextPretrainer(TextColumnEstimator, BasePretrainer):
    """Continue the training of a network on texts without labels.

    Examples
    --------
    >>> from sktransfer import TextPretrainer
    >>> X = ["a good film", "a bad film", "the worst of films", "lovely", "awful", "great"]
    >>> pretrainer = TextPretrainer(max_epochs=1, cache=False, random_state=0).fit(X)
    >>> pretrainer.transform(["a fine film"]).shape
    (1, 384)
    """

    backbone: Any = parameter(default="all-MiniLM-L6-v2", kw_only=False)
    objective: Any = parameter(
        StrOptions({"mlm", "simcse"}), HasMethods(["loss", "head"]), default="mlm"
    )
    token_dropout: float = parameter(Interval(Real, 0, 1, closed="left"), default=0.3)
    temperature: float = parameter(default=0.05)
    max_epochs: int = parameter(default=2)
    lr: float = parameter(default=1e-4)
