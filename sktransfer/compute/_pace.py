"""How many images a CPU takes fastest together: found out while it works, and remembered."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator

from sktransfer._forks import in_a_forked_child
from sktransfer.extraction._batches import CPU_IMAGES, even

# Each is tried so often; the first time also pays for what the libraries set up for a new size.
_TRIES = 3
_SIZES = (CPU_IMAGES, 16, 4, 32)
# A column is worth trying on if it has so many times as many rows as go into that.
_WORTH = 4
# What is faster by less than this may be so by chance.
_CLEARLY = 0.95


class Pace:
    """The times that batches of some sizes took, for one network on one machine.

    Parameters
    ----------
    largest : int
        Most rows that may go together.

    Attributes
    ----------
    enough : int
        Rows of a column that is worth trying sizes on.
    """

    def __init__(self, largest: int) -> None:
        self._usual = min(CPU_IMAGES, largest)
        sizes = [size for size in _SIZES if size <= largest]
        self._to_try = deque(sizes * _TRIES if len(sizes) > 1 else [])
        self.enough = _WORTH * sum(self._to_try)
        self._seconds: dict[int, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def sizes(self, rows: int, streams: int = 1) -> Iterator[int]:
        """Yield the sizes for a column of so many rows, without end.

        With several `streams`, all of them get as many batches.
        """
        while True:
            with self._lock:
                is_trial = bool(self._to_try) and rows >= self.enough
                size = self._to_try.popleft() if is_trial else even(self.best, rows, streams)
            yield size

    def note(self, batch: int, seconds: float, rows: int) -> None:
        """Note what a batch of so many rows took, of a column of so many."""
        with self._lock:  # whoever asks for the best goes through all of them
            is_trial = batch in _SIZES and rows >= self.enough  # and not the end of a column
            if is_trial and len(self._seconds[batch]) < _TRIES:
                self._seconds[batch].append(seconds / batch)

    @property
    def best(self) -> int:
        """The size to take: the usual one, unless another was clearly faster."""
        tried = {size: min(took) for size, took in self._seconds.items() if len(took) >= _TRIES}
        usual = tried.pop(self._usual, None)
        if usual is None or not tried:
            return self._usual
        fastest = min(tried, key=tried.__getitem__)
        return fastest if tried[fastest] < _CLEARLY * usual else self._usual


_paces: dict[Hashable, Pace] = {}


def pace_of(key: Hashable, largest: int) -> Pace:
    """Return the pace of this process for `key`: all that decides how long a batch takes."""
    return _paces.setdefault(key, Pace(largest))


@in_a_forked_child
def _start_anew() -> None:
    _paces.clear()  # the child may have fewer cores
