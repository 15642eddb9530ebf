"""Hooks through which `save` and `load` handle the state of estimators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np


class StateHooks:
    """Calls that estimators make from ``__getstate__`` and ``__setstate__``: the defaults."""

    def on_getstate(self, estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state to write in place of `state`."""
        return state

    def on_setstate(self, estimator: Any) -> None:
        """Restore the weights of an estimator whose state is set."""
        estimator._restore(lambda weights: weights)

    def put_weights(self, estimator: Any, weights: dict[str, np.ndarray]) -> Any:
        """Store trained weights, and return the reference to them for the state."""
        return weights


_DEFAULT = StateHooks()
# One per thread: a thread that saves does not affect pickles made in another.
_HOOKS: ContextVar[StateHooks] = ContextVar("sktransfer_state_hooks")


@contextmanager
def use_state_hooks(hooks: StateHooks) -> Iterator[None]:
    """Call `hooks` for every estimator whose state is taken or set within the block."""
    token = _HOOKS.set(hooks)
    try:
        yield
    finally:
        _HOOKS.reset(token)


def state_hooks() -> StateHooks:
    """Return the hooks in use; the defaults while estimators are pickled or copied."""
    return _HOOKS.get(_DEFAULT)
