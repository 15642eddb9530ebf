"""What a forked child must not take over from its parent."""

from __future__ import annotations

import os
from collections.abc import Callable


def in_a_forked_child(start_anew: Callable[[], None]) -> Callable[[], None]:
    """Have a function called in every child that is forked from this process.

    A thread of the parent may hold a lock at that moment. Nobody in the child would ever release
    it, so whatever has a lock for all of a process gets a new one there.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=start_anew)
    return start_anew
