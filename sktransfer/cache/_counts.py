"""Numbers of rows that this process requested and computed."""

import threading
from collections import Counter

from sktransfer._forks import in_a_forked_child

#: Numbers of rows "asked" and "computed".
COUNTS: Counter[str] = Counter()
_lock = threading.Lock()


def record(*, asked: int = 0, computed: int = 0) -> None:
    """Add to the counts of this process, which `cache_info` shows.

    Parameters
    ----------
    asked : int
        Rows that were requested.
    computed : int
        Those of them that went through a network.
    """
    with _lock:
        COUNTS.update(asked=asked, computed=computed)


@in_a_forked_child
def _start_anew() -> None:
    global _lock
    _lock = threading.Lock()
    COUNTS.clear()
