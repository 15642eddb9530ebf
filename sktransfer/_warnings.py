"""Warnings to the user, and warnings of other libraries that are ignored, in any thread."""

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

# Code between the user's line and ours.
_LIBRARIES = ("sktransfer", "sklearn", "skorch", "joblib", "contextlib")


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the user's line: the first frame outside of this package and scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def warnings_ignored(
    category: type[Warning] = Warning, *, message: str = "", module: str = ""
) -> Iterator[None]:
    """Ignore some warnings within the block.

    Parameters
    ----------
    category : type of Warning
        Category of the ignored warnings.
    message, module : str
        Regular expressions of how they begin and of the module that issues them; empty for all.
    """
    entry = ("ignore", re.compile(message), category, re.compile(module), 0)
    # Not `warnings.catch_warnings`: it restores a saved list, so blocks that overlap in two
    # threads leave the wrong filters behind. Each block here adds one entry and removes it from
    # the list that it was added to.
    filters = cast(list[object], warnings.filters)
    filters.insert(0, entry)
    try:
        yield
    finally:
        with suppress(ValueError):  # the list was cleared meanwhile
            filters.remove(entry)
