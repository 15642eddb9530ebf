"""Process-wide state that a forked child must not inherit."""

import os
from collections.abc import Callable
from typing import TypeVar

Lock = TypeVar("Lock")


def in_a_forked_child(start_anew: Callable[[], None]) -> Callable[[], None]:
    """Call a function in every child process that is forked from this one.

    A thread of the parent may hold a lock during the fork, which nothing in the child would
    release.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=start_anew)
    return start_anew


def released_in_children(lock: Lock) -> Lock:
    """Return a lock of `threading` that is free in every child process forked from this one."""
    in_a_forked_child(lock._at_fork_reinit)  # type: ignore[attr-defined]
    return lock
