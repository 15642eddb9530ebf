"""Process-wide state that a forked child must not inherit."""

import os
from collections.abc import Callable
from typing import Any


def in_a_forked_child(start_anew: Callable[[], None]) -> Callable[[], None]:
    """Call a function in every child process that is forked from this one.

    A thread of the parent may hold a lock during the fork, which nothing in the child would
    release.
    """
    at_fork(after_in_child=start_anew)
    return start_anew


def released_at_fork(lock: Any) -> Any:
    """Return a lock of `threading` that is open in every child process forked from this one."""
    at_fork(after_in_child=lock._at_fork_reinit)
    return lock


def at_fork(**calls: Callable[[], object]) -> None:
    """Call functions at each fork, as `os.register_at_fork` where the system can fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(**calls)
