"""Which columns the estimators within a model are called on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sktransfer.columns import Column

#: An estimator, and the column that one of its methods was called on.
Call = tuple[Any, Column]

_CALLS: ContextVar[list[Call] | None] = ContextVar("sktransfer_calls", default=None)


@contextmanager
def watched() -> Iterator[list[Call]]:
    """Collect the calls of fitted estimators of columns that this thread makes in the block."""
    calls: list[Call] = []
    token = _CALLS.set(calls)
    try:
        yield calls
    finally:
        _CALLS.reset(token)


def report(estimator: Any, column: Column) -> None:
    """Record a call, if calls are watched."""
    calls = _CALLS.get()
    if calls is not None:
        calls.append((estimator, column))
