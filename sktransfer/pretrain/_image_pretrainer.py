"""Training on a column of images without labels."""

from typing import Any

from sktransfer._compat import HasMethods, StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import ImageColumnEstimator
from sktransfer.pretrain._base_pretrainer import BasePretrainer


@public
@with_parameters
class ImagePretrainer(ImageColumnEstimator, BasePretrainer):
    """Train a network on images without labels, from pretrained weights or from none.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import ImagePretrainer
    >>> X = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    >>> pretrainer = ImagePretrainer(max_epochs=1, cache=False, random_state=0).fit(X)
    >>> pretrainer.transform(X).shape
    (8, 1280)
    """

    backbone: Any = parameter(default="efficientnet_lite0", kw_only=False)
    objective: Any = parameter(
        StrOptions({"simclr", "vicreg", "masked"}), HasMethods(["loss", "head"]), default="simclr"
    )
    augment: Any = parameter(StrOptions({"light", "standard"}), callable, None, default="standard")
    mask_fraction: float = parameter(default=0.6)
    batch_size: int = parameter(default=64)
    lr: float = parameter(default=3e-4)
