"""The pretrained half of scikit-learn.

A column of images or texts becomes features through ``fit`` and ``transform``, inside
``Pipeline``, ``ColumnTransformer`` and ``GridSearchCV``; every row goes through the network
once, ever.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sktransfer._public import HOMES
from sktransfer._version import __version__ as __version__

if TYPE_CHECKING:
    from sktransfer.backbones import list_backbones
    from sktransfer.cache import cache_info, clear_cache
    from sktransfer.embedders import ImageEmbedder, TextEmbedder
    from sktransfer.finetune import (
        ImageClassifier,
        ImageRegressor,
        TextClassifier,
        TextRegressor,
    )
    from sktransfer.inspection import HistoryDisplay, find_lr
    from sktransfer.persistence import load, save
    from sktransfer.training import train_together

__all__ = [
    "HistoryDisplay",
    "ImageClassifier",
    "ImageEmbedder",
    "ImageRegressor",
    "TextClassifier",
    "TextEmbedder",
    "TextRegressor",
    "cache_info",
    "clear_cache",
    "find_lr",
    "list_backbones",
    "load",
    "save",
    "train_together",
]


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `import sktransfer` imports no torch.
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
