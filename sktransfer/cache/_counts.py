"""Numbers of rows that this process requested and computed."""

import threading

from sktransfer._forks import in_a_forked_child

_lock = threading.Lock()
_asked = 0
_computed = 0


def record(*, asked: int = 0, computed: int = 0) -> None:
    """Add to the counts of this process, which `cache_info` shows.

    Parameters
    ----------
    asked : int
        Rows that were requested.
    computed : int
        Those of them that went through a network.
    """
    global _asked, _computed
    with _lock:
        _asked += asked
        _computed += computed


def counts() -> tuple[int, int]:
    """Return the numbers of rows requested and computed by this process so far."""
    with _lock:
        return _asked, _computed


@in_a_forked_child
def _start_anew() -> None:
    global _lock, _asked, _computed
    _lock, _asked, _computed = threading.Lock(), 0, 0
