"""The LMDB environment of one folder: opened when needed, used by one thread at a time."""

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import lmdb

from sktransfer.cache._files import (
    DATA,
    LOCK,
    MOST_READERS,
    NOTE,
    TURN,
    identity,
    make_lock_file,
    make_private_folders,
)
from sktransfer.cache._key import FORMAT_VERSION
from sktransfer.cache._sound import Watched
from sktransfer.cache._tables import TABLES, Tables
from sktransfer.cache._trouble import DamagedError
from sktransfer.cache._turn import turn_to_write

_HEADROOM = 64 * 1024**2  # bytes of the map beyond the limit

#: What tells the two files of LMDB from all others.
_Identity = tuple[tuple[int, int] | None, ...]


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
        self._data = self._home / DATA
        self._watched = Watched(self._data, self._home / NOTE)
        self.lock = threading.RLock()
        self._lmdb: Any = None
        self._handles: dict[bytes | None, Any] = {}
        self._identity: _Identity = ()
        self._page_size = 0
        self._has_turn = False
        self._others_hang = False

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
        return identity(self._data) is not None

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
            self._watched.keep_known()

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
                for name in (DATA, LOCK, NOTE):
                    (self._home / name).unlink(missing_ok=True)

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
        """Open LMDB unless just these files are open, and see that they are sound."""
        # Of both: without the lock file that is in the folder, others do not see us.
        # And an interrupt can come in the middle of all, even of closing what is half open.
        if not self._handles or self._identity != self._identity_now():
            self.close()
        if self._lmdb is None:
            self._open()
        elif not self._watched.is_known():
            self._look_again()

    def _open(self) -> None:
        with self._turn():  # nobody removes, makes or changes the files meanwhile
            make_lock_file(self._home)
            if not self._watched.is_known():
                self._watched.verify()
            self._lmdb = lmdb.open(
                str(self._home),
                map_size=self._map_size(),
                max_dbs=len(TABLES),
                max_readers=MOST_READERS,
                mode=0o700,  # LMDB takes the x away for the files
                # One fsync a commit, before the page that makes it visible is written.
                # A killed process loses nothing that was committed, a crashed system
                # at worst the newest rows. With sync=False a crashed system can leave
                # a broken tree, for a gain of 1 ms a commit; many small writes are
                # better joined by the caller.
                metasync=False,
            )
            self._identity = self._identity_now()
            self._page_size = self._lmdb.stat()["psize"]
            self._fill_tail()
            self._lmdb.reader_check()
            with self._begin(write=True) as transaction:
                self._handles = {name: self._table(name, transaction) for name in (None, *TABLES)}
            self._fill_tail()
            self._watched.keep_known()

    def _table(self, name: bytes | None, transaction: Any) -> Any:
        """Return a table; None is that of all tables, which must be looked at first."""
        table = self._lmdb.open_db(name, txn=transaction)
        if any(table.flags(transaction).values()):  # LMDB takes them for granted, and dies of it
            raise DamagedError(f"{self._data} holds tables of another kind")
        return table

    def _look_again(self) -> None:
        """Verify the file that is open, for somebody has changed it and left no note.

        Raises
        ------
        DamagedError
            If LMDB could fail on it.
        """
        # A writer may be just between its change and its note: then there is nothing to
        # wait for, unless the end of the file is missing, which it is about to fill in.
        waiting = self._is_cut_short()
        harmless = () if waiting else (TimeoutError,)
        with contextlib.suppress(*harmless), self._turn(patient=waiting):
            if not self._watched.is_known():
                self._watched.verify()
                self._fill_tail()
                self._watched.keep_known()

    def _identity_now(self) -> _Identity:
        return identity(self._data), identity(self._home / LOCK)

    def _begin(self, *, write: bool) -> Any:
        try:
            return self._lmdb.begin(write=write)
        except lmdb.MapResizedError:  # a process with a larger limit wrote more than we map
            self._lmdb.set_mapsize(0)
        except lmdb.ReadersFullError:  # of processes that were killed, perhaps
            self._lmdb.reader_check()
        return self._lmdb.begin(write=write)

    def _map_size(self) -> int:
        # Removing rows takes pages too, and readers keep removed ones for a while.
        return (self.limit + self.limit // 4 + _HEADROOM) // 4096 * 4096

    def _turn(self, *, patient: bool = True) -> AbstractContextManager[None]:
        # Who has waited in vain once does not wait again and again, row by row.
        wait = self.wait if patient and not self._others_hang else 0.0
        return nullcontext() if self._has_turn else self._take_turn(wait)

    @contextmanager
    def _take_turn(self, wait: float) -> Iterator[None]:
        make_private_folders(self.folder, self._home, (DATA, LOCK, TURN, NOTE))
        try:
            with turn_to_write(self._home / TURN, wait):
                try:
                    self._has_turn, self._others_hang = True, False
                    yield
                finally:
                    self._has_turn = False
        except TimeoutError:
            self._others_hang = self._others_hang or wait > 0
            raise

    @contextmanager
    def _closing_on_trouble(self) -> Iterator[None]:
        """Close LMDB after an error or an interrupt: it may be half open, or beyond mending."""
        try:
            yield
        except lmdb.MapFullError:
            raise
        except BaseException:
            self.close()
            raise

    def _fill_tail(self) -> None:
        """Give the file its full length; LMDB leaves out free pages at its end.

        That is pages which were taken and given back within one transaction. To touch one
        behind the end of the file would kill the process.
        """
        if self._is_cut_short():
            os.truncate(self._data, self._length_needed())

    def _is_cut_short(self) -> bool:
        size = self._data.stat().st_size
        # The first two pages say how many there are, and must be there to be asked.
        if size < 2 * self._page_size:
            raise DamagedError(f"{self._data} was cut short")
        return size < self._length_needed()

    def _length_needed(self) -> int:
        return (self._lmdb.info()["last_pgno"] + 1) * self._page_size
