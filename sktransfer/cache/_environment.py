"""The LMDB environment of one folder: opened when needed, used by one thread at a time."""

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import lmdb
from lmdb.verify import VerifyError, verify

from sktransfer.cache._key import FORMAT_VERSION
from sktransfer.cache._tables import TABLES, Tables
from sktransfer.cache._trouble import TROUBLE, DamagedError
from sktransfer.cache._turn import turn_to_write

_HEADROOM = 64 * 1024**2  # bytes of the map beyond the limit
_ENOUGH = 1024**2  # bytes that LMDB's own files take when they are made


class Environment:
    """The files of the cache in one folder, and the transactions on them.

    LMDB must not be opened twice in a process, so there is one object of this class a
    folder (see ``_open.py``). Its lock lets one thread of the process in at a time:
    then no transaction is under way where LMDB forbids it, that is while the map is
    resized, the files are opened anew, or the process forks. Transactions are short,
    and Python would let them run one by one in any case.

    Parameters
    ----------
    folder : Path
        The folder of the user; the files lie in a subfolder named for the format, so
        that versions of this package do not meet.
    limit : int
        Bytes of data to keep.
    """

    wait = 10.0  # seconds for other processes that are writing; one turn takes milliseconds

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._home = folder / f"v{FORMAT_VERSION}"
        self._data = self._home / "data.mdb"
        self.lock = threading.RLock()
        self._lmdb: Any = None
        self._handles: dict[bytes, Any] = {}
        self._identity: tuple[int, int] | None = None
        self._page_size = 0
        self._has_turn = False

    def start_anew(self) -> None:
        """Let go of what belongs to the parent, in a child that was just forked.

        Closing LMDB takes nothing from the parent as long as no transaction was under
        way when it forked, which ``_open.py`` sees to; without closing, LMDB would
        refuse to open the same file in the child.
        """
        self.close()
        self.lock = threading.RLock()

    def exists(self) -> bool:
        """Whether anything was stored in this folder yet."""
        return _identity(self._data) is not None

    def open(self, limit: int) -> None:
        """Open the files now, to see whether they can be used, with this limit."""
        with self.lock:
            self.limit = limit
            with self._closing_on_trouble():
                self._get_ready()
                if self._lmdb.info()["map_size"] < self._map_size():
                    self._lmdb.set_mapsize(self._map_size())

    @contextmanager
    def reading(self) -> Iterator[Tables]:
        """Give the tables as they are now."""
        with self.lock, self._closing_on_trouble():
            self._get_ready()
            with self._begin(write=False) as transaction:
                yield Tables(transaction, self._handles)

    @contextmanager
    def writing(self, *, patient: bool = True) -> Iterator[Tables]:
        """Give the tables to change; all changes are kept together, or none on an error.

        Raises
        ------
        TimeoutError
            If other processes write for longer than ``wait`` seconds; at once if not
            patient.
        """
        with self.lock, self._turn(patient=patient), self._closing_on_trouble():
            self._get_ready()
            with self._begin(write=True) as transaction:
                yield Tables(transaction, self._handles)
            self._fill_tail()

    def free_dead_readers(self) -> None:
        """Release the pages that killed processes were reading, for use by new rows."""
        with self.lock, self._closing_on_trouble():
            self._get_ready()
            self._lmdb.reader_check()

    def remove(self) -> None:
        """Remove the data files, whatever is in them, and nothing else.

        Other threads and processes see at their next transaction that their file is no
        longer the one in the folder, and open the new one.
        """
        with self.lock:
            if not self._home.is_dir():
                return
            with self._turn():
                self.close()
                self._data.unlink(missing_ok=True)
                (self._home / "lock.mdb").unlink(missing_ok=True)

    def close_if_removed(self) -> None:
        """Give the disk its space back when someone has removed the folder."""
        with self.lock:
            if not self.exists():
                self.close()

    def close(self) -> None:
        """Close the files; the next transaction opens them again."""
        with self.lock:
            opened, self._lmdb, self._handles = self._lmdb, None, {}
            if opened is not None:
                opened.close()

    def _get_ready(self) -> None:
        """Open LMDB unless just this file is open, and make sure that all of it is there."""
        if self._lmdb is not None and self._identity != _identity(self._data):
            self.close()
        if self._lmdb is None:
            self._open()
        self._check_length()

    def _open(self) -> None:
        with self._turn():  # nobody removes or makes the files meanwhile
            _refuse_full_disk(self._home)
            self._lmdb = lmdb.open(
                str(self._home),
                map_size=self._map_size(),
                max_dbs=len(TABLES),
                mode=0o700,  # LMDB takes the x away for the files
                # One fsync a commit, before the page that makes it visible is written.
                # A killed process loses nothing that was committed, a crashed system
                # at worst the newest rows. With sync=False a crashed system can leave
                # a broken tree, for a gain of 1 ms a commit; many small writes are
                # better joined by the caller.
                metasync=False,
            )
            self._identity = _identity(self._data)
            self._page_size = self._lmdb.stat()["psize"]
            self._check_length()
            self._lmdb.reader_check()
            with self._begin(write=True) as transaction:
                self._handles = {name: self._lmdb.open_db(name, txn=transaction) for name in TABLES}

    def _begin(self, *, write: bool) -> Any:
        try:
            return self._lmdb.begin(write=write)
        except lmdb.MapResizedError:  # a process with a larger limit wrote more than we map
            self._lmdb.set_mapsize(0)
            return self._lmdb.begin(write=write)

    def _map_size(self) -> int:
        # Removing rows takes pages too, and readers keep removed ones for a while.
        return (self.limit + self.limit // 4 + _HEADROOM) // 4096 * 4096

    def _turn(self, *, patient: bool = True) -> AbstractContextManager[None]:
        wait = self.wait if patient else 0.0
        return nullcontext() if self._has_turn else self._take_turn(wait)

    @contextmanager
    def _take_turn(self, wait: float) -> Iterator[None]:
        for folder in (self.folder, self._home):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with turn_to_write(self._home / "turn.lock", wait):
            self._has_turn = True
            try:
                yield
            finally:
                self._has_turn = False

    @contextmanager
    def _closing_on_trouble(self) -> Iterator[None]:
        """Close LMDB after an error: some leave it in a state that only opening mends."""
        try:
            yield
        except lmdb.MapFullError:
            raise
        except TROUBLE:
            self.close()
            raise

    def _check_length(self) -> None:
        """Raise DamagedError if pages are missing at the end of the file.

        LMDB maps the file: to touch a page behind its end would kill the process.
        A short file can be sound, though: pages that were taken and given back within
        one transaction are not written. `_fill_tail` sees to that after each write;
        where a process was killed before it came to that, LMDB's verifier, which reads
        the file without mapping it, decides whether a page that is needed is missing.
        (It is too slow for each opening, 18 s for 10 GB, and not needed for that: with
        a flipped bit or an overwritten page in each of 1,350 files, LMDB 3.0 raised
        or found nothing, but never crashed.)
        """
        if not self._missing():
            return
        with self._turn():  # a writer might be about to fill the tail
            if not self._missing():
                return
            if not _is_sound(self._home):
                raise DamagedError(f"{self._data} was cut short")
            self._fill_tail()

    def _fill_tail(self) -> None:
        if self._missing():
            os.truncate(self._data, self._length_needed())

    def _missing(self) -> bool:
        size = self._data.stat().st_size
        # The first two pages say how many there are, and must be there to be asked.
        if size < 2 * self._page_size:
            raise DamagedError(f"{self._data} was cut short")
        return size < self._length_needed()

    def _length_needed(self) -> int:
        return (self._lmdb.info()["last_pgno"] + 1) * self._page_size


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):  # not there, out of reach, or no possible path
        return None
    return status.st_dev, status.st_ino


def _is_sound(home: Path) -> bool:
    try:
        return not verify(str(home))
    except VerifyError:
        return False


def _refuse_full_disk(home: Path) -> None:
    """Raise OSError where LMDB's lock file could not be made.

    LMDB writes it through a memory map, and a full disk would then kill the process.
    """
    if not (home / "lock.mdb").exists() and shutil.disk_usage(home).free < _ENOUGH:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(home))
