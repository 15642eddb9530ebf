"""Decoding without Pillow's warnings, from any number of threads."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

_IGNORE_PILLOW = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


@contextmanager
def pillow_warnings_ignored() -> Iterator[None]:
    """Ignore the warnings that Pillow itself issues, as long as the block runs.

    They name neither the row nor the file, and under ``-W error`` they would turn
    a usable image into a failure.
    """
    # Not `warnings.catch_warnings`: it puts back a saved list on leaving, so blocks that
    # overlap in two threads leave the wrong filters behind. Each block here adds one entry
    # and takes one away again, from the very list it was added to.
    filters = cast(list[object], warnings.filters)
    filters.insert(0, _IGNORE_PILLOW)
    try:
        yield
    finally:
        with suppress(ValueError):  # somebody else has cleared the list
            filters.remove(_IGNORE_PILLOW)
