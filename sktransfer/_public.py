"""Registry of public names: where each is defined, and the one name under which it is known."""

from __future__ import annotations

from typing import TypeVar

Kind = TypeVar("Kind", bound=type)

#: Modules that define the public names. They are imported on first use.
HOMES = {
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
    "train_together": "sktransfer.training",
}


def public(kind: Kind) -> Kind:
    """Set the module of a public class to the package.

    Pickles, saved files and reprs then say ``sktransfer.TextClassifier``, and moving the class
    to another module breaks none of them. As in NumPy, ``_module_source`` keeps the name of the
    defining module for tools that need it, because `inspect.getsource` cannot find the class.
    """
    kind._module_source = kind.__module__  # type: ignore[attr-defined]
    if "__firstlineno__" in vars(kind):  # of Python 3.13: an OSError, not lines of the package
        del kind.__firstlineno__  # type: ignore[attr-defined]
    kind.__module__ = "sktransfer"
    return kind
