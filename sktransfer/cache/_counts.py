"""How many rows this process asked for, and how many it really computed."""

import threading

from sktransfer._forks import in_a_forked_child

_lock = threading.Lock()
_asked = 0
_computed = 0


def record(*, asked: int = 0, computed: int = 0) -> None:
    """Add to the counts of this process; `cache_info` shows them.

    Parameters
    ----------
    asked : int
        Rows that were asked for.
    computed : int
        Those of them that went through a network.
    """
    global _asked, _computed
    with _lock:
        _asked += asked
        _computed += computed


def counts() -> tuple[int, int]:
    """Return the rows asked for and the rows computed by this process so far."""
    with _lock:
        return _asked, _computed


@in_a_forked_child
def _start_anew() -> None:
    global _lock, _asked, _computed
    _lock, _asked, _computed = threading.Lock(), 0, 0
