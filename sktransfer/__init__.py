"""The pretrained half of scikit-learn.

A column of images or texts becomes features through ``fit`` and ``transform``, inside
``Pipeline``, ``ColumnTransformer`` and ``GridSearchCV``; every row goes through the network
once, ever.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sktransfer.backbones import list_backbones
    from sktransfer.cache import cache_info, clear_cache
    from sktransfer.embedders import ImageEmbedder, TextEmbedder
    from sktransfer.finetune import (
        ImageClassifier,
        ImageRegressor,
        TextClassifier,
        TextRegressor,
        train_together,
    )
    from sktransfer.inspection import HistoryDisplay, find_lr
    from sktransfer.persistence import load, save

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

__version__ = "0.1.0.dev0"

# Where each public name lives. They are imported on first use, so that `import sktransfer`
# costs no more than a look at this file, and no torch.
_HOMES = {
    "HistoryDisplay": "sktransfer.inspection",
    "ImageClassifier": "sktransfer.finetune",
    "ImageEmbedder": "sktransfer.embedders",
    "ImageRegressor": "sktransfer.finetune",
    "TextClassifier": "sktransfer.finetune",
    "TextEmbedder": "sktransfer.embedders",
    "TextRegressor": "sktransfer.finetune",
    "cache_info": "sktransfer.cache",
    "clear_cache": "sktransfer.cache",
    "find_lr": "sktransfer.inspection",
    "list_backbones": "sktransfer.backbones",
    "load": "sktransfer.persistence",
    "save": "sktransfer.persistence",
    "train_together": "sktransfer.finetune",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
