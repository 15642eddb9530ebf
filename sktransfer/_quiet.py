"""Warnings of other libraries are ignored for a while, from any number of threads."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast


@contextmanager
def warnings_ignored(
    category: type[Warning] = Warning, *, message: str = "", module: str = ""
) -> Iterator[None]:
    """Ignore some warnings as long as the block runs.

    Parameters
    ----------
    category : type of Warning
        Of what kind they are.
    message, module : str
        Regular expressions of how they begin, and of where they come from; empty for all.
    """
    entry = (
        "ignore",
        re.compile(message) if message else None,
        category,
        re.compile(module) if module else None,
        0,
    )
    # Not `warnings.catch_warnings`: it puts back a saved list on leaving, so blocks that
    # overlap in two threads leave the wrong filters behind. Each block here adds one entry
    # and takes one away again, from the very list it was added to.
    filters = cast(list[object], warnings.filters)
    filters.insert(0, entry)
    try:
        yield
    finally:
        with suppress(ValueError):  # somebody else has cleared the list
            filters.remove(entry)
