"""Callbacks of one fit among several."""

from __future__ import annotations

import copy
import multiprocessing
import threading
import uuid
from pathlib import Path
from typing import Any


def own_callbacks(callbacks: list[Any] | tuple[Any, ...] | None) -> list[Any]:
    """Return callbacks that write where no other fit does at the same time.

    A worker of a parallel search has the same `dirname` as all others, so what has one gets a
    folder of its own below it, for each fit. Elsewhere fits follow one another, and the last
    one, which in a search is the refit, is what lies in `dirname` itself.

    Parameters
    ----------
    callbacks : list of skorch callbacks, or of pairs of a name and a callback
        They stay as they are.
    """
    callbacks = list(callbacks or [])
    if not _in_worker():
        return callbacks
    folder = f"fit-{uuid.uuid4().hex[:12]}"
    return [
        (item[0], _below(item[1], folder)) if isinstance(item, tuple) else _below(item, folder)
        for item in callbacks
    ]


def _below(callback: Any, folder: str) -> Any:
    if not isinstance(getattr(callback, "dirname", None), str):
        return callback
    moved = copy.copy(callback)
    moved.dirname = str(Path(callback.dirname, folder))
    return moved


def _in_worker() -> bool:
    if threading.current_thread() is not threading.main_thread():
        return True
    return multiprocessing.current_process().name != "MainProcess"
