"""Whether the data file is as its last writer left it, and sound where it is not.

LMDB maps its file and trusts it: a page that was overwritten, or lost by a disk, can kill the
process. LMDB's verifier reads the file without mapping it and finds such damage, but takes about
2.5 s a GB. So each writer leaves a note of how the file looks after its change, and only a file
that looks otherwise is verified: after a kill in the middle of a write, a restored backup, a
foreign hand. As a disk can lose bits in silence, the note is good for a day.
"""

import contextlib
import os
import struct
import time
from pathlib import Path

from lmdb.verify import VerifyError, verify

from sktransfer.cache._trouble import DamagedError

GOOD_FOR = 24 * 3600  # seconds

# LMDB 0.9: where its two first pages say how large a page is and how the free list is ordered.
_FREE_LIST = 8
_META = struct.Struct("=40xIH")
_WIDTH = 128  # of a note: always the same, so that it can be written on a full disk too


class Watched:
    """The data file of a cache, and the note about it.

    All but `is_known` is for who has the turn to write.

    Parameters
    ----------
    data : Path
        The file of LMDB.
    note : Path
        Where the note lies.
    """

    def __init__(self, data: Path, note: Path) -> None:
        self._data = data
        self._note = note

    def is_known(self) -> bool:
        """Whether the file is as its last writer left it, and was verified not long ago."""
        *looks, verified = self._noted()
        return looks == self._looks() and _is_recent(verified)

    def keep_known(self) -> None:
        """Note how a file that was known before looks after a change."""
        verified = self._noted()[-1]
        self._write(verified if _is_recent(verified) else int(time.time()))

    def verify(self) -> None:
        """Read the whole file, if there is anything in it.

        Raises
        ------
        DamagedError
            If LMDB could fail on it.
        """
        problem = _first_problem(self._data)
        if problem:
            raise DamagedError(f"{self._data} is damaged ({problem})")
        self._write(int(time.time()))

    def _looks(self) -> list[int]:
        try:
            status = self._data.stat()
        except FileNotFoundError:
            return []
        return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]

    def _noted(self) -> list[int]:
        try:
            return [int(number) for number in self._note.read_text().split()] or [0]
        except (OSError, ValueError):
            return [0]

    def _write(self, verified: int) -> None:
        text = " ".join(map(str, [*self._looks(), verified])).ljust(_WIDTH)
        with contextlib.suppress(OSError):  # without a note the file is verified again
            file = os.open(self._note, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)


def _is_recent(verified: int) -> bool:
    return abs(time.time() - verified) < GOOD_FOR  # a clock can also have been set back


def _first_problem(data: Path) -> str | None:
    if not data.exists() or data.stat().st_size == 0:
        return None
    try:
        return next(iter(verify(str(data))), None) or _odd_flags(data)
    except VerifyError as error:
        return str(error)


def _odd_flags(data: Path) -> str | None:
    """Look at the one field that the verifier passes over, and that LMDB dies of."""
    with data.open("rb") as file:
        for number in (0, 1):  # of the page; each has the size of all, and flags of the free list
            size, flags = _META.unpack(file.read(_META.size))
            if flags != _FREE_LIST:
                return f"page {number} has flags {flags}"
            file.seek(size)
    return None
