"""skorch callbacks of fits that run at the same time."""

from __future__ import annotations

import copy
import uuid
from pathlib import Path
from typing import Any

from sktransfer import _runtime


def own_callbacks(callbacks: list[Any] | tuple[Any, ...] | None) -> list[Any]:
    """Return callbacks that write to a folder that no other fit uses at the same time.

    All workers of a parallel search have the same `dirname`, so there callbacks with one get a
    folder of their own below it per fit. Elsewhere fits follow one another, and `dirname` itself
    holds the last one, which in a search is the refit.

    Parameters
    ----------
    callbacks : list of skorch callbacks, or of pairs of a name and a callback
        They are not changed.
    """
    own = list(callbacks or [])
    folder = f"fit-{uuid.uuid4().hex[:12]}"
    for number, item in enumerate(own if _runtime.may_be_one_of_several_jobs() else ()):
        callback = item[1] if isinstance(item, tuple) else item
        if isinstance(getattr(callback, "dirname", None), str):
            moved = copy.copy(callback)
            moved.dirname = str(Path(callback.dirname, folder))
            own[number] = (item[0], moved) if isinstance(item, tuple) else moved
    return own
