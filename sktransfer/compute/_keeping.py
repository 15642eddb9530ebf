"""Who looks after what an estimator's state leaves out, while a file is written or read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np


class Keeper(Protocol):
    """Hears of every estimator of ours whose state is taken or set."""

    def state_taken(self, estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Return what is to be written as the state."""

    def state_set(self, estimator: Any) -> None:
        """Note an estimator that has its state, and wants `_complete` to be called."""

    def keep(self, estimator: Any, trained: dict[str, np.ndarray]) -> Any:
        """Take what was trained, and return what stands for it in the state."""


# Each thread has its own, so one that saves does not hear of another's pickles.
_KEEPER: ContextVar[Keeper | None] = ContextVar("sktransfer_keeper", default=None)


@contextmanager
def kept_by(keeper: Keeper) -> Iterator[None]:
    """Let `keeper` look after the estimators within the block."""
    token = _KEEPER.set(keeper)
    try:
        yield
    finally:
        _KEEPER.reset(token)


def keeper() -> Keeper | None:
    """Return who looks after estimators now; None where they are pickled or copied."""
    return _KEEPER.get()
