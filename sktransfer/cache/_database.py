"""The SQLite database of one folder: one connection, used by one thread at a time."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sktransfer.cache._errors import DamagedError, is_busy
from sktransfer.cache._key import FORMAT_VERSION
from sktransfer.cache._private_files import identity, make_private_folders

DATABASE, _LOCK = "features.sqlite", "lock"
_DATABASE_FILES = tuple(DATABASE + ending for ending in ("", "-wal", "-shm", "-journal"))

# Rows are stored in the order in which they were written, so that a whole space is read page by
# page, and the oldest are found without a look at the others. SQLite keeps the keys (space + digest
# of the cell) in an index of its own; a value is a checksum and float32 numbers.
_SCHEMA = "CREATE TABLE rows (id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB)"

_SETTINGS = (
    "page_size=8192",  # five rows of 384 values
    "journal_mode=WAL",  # readers and the writer do not wait for each other
    # A killed process loses nothing that was committed, a crashed system at worst the newest rows.
    "synchronous=NORMAL",
    "mmap_size=0",  # a damaged page is an error to read, where a mapped one can end the process
    "cell_size_check=ON",
    "trusted_schema=OFF",
    "cache_size=-16000",  # kB
    "journal_size_limit=67108864",  # bytes
    "temp_store=MEMORY",
)


class Database:
    """The files of the cache in one folder, and the transactions on them.

    A lock lets one thread of the process in at a time: parallel reads gain little, as
    Python runs one thread at a time, and all connections can be closed before the
    process forks (see ``_open.py``). The connection is opened when it is needed, anew after an
    error, and anew when another process has replaced the file.

    Parameters
    ----------
    folder : Path
        The folder of the user. The files are in a subfolder named for the format, so that
        versions of this package do not share them.
    limit : int
        Bytes of data to keep.
    """

    timeout = 10.0  # seconds to wait for other processes; one transaction takes milliseconds

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self.lock = threading.RLock()
        self._home = folder / f"v{FORMAT_VERSION}"
        self._path = self._home / DATABASE
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._timed_out = False

    def exists(self) -> bool:
        """Return whether anything was stored in this folder yet."""
        return identity(self._path) is not None

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """Open a transaction, which is committed at the end or undone after an error.

        Parameters
        ----------
        write : bool
            Whether to take the write lock, which one process at a time can hold. It is waited for
            up to `timeout` seconds.

        Raises
        ------
        OSError, sqlite3.Error
            If the files cannot be used, or the write lock was not free in time.
        """
        with self.lock:
            try:
                timeout = 0.0 if self._timed_out else self.timeout
                connection = self._open(timeout)
                connection.execute(f"PRAGMA busy_timeout={int(timeout * 1000)}").close()
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:  # an interrupt too can leave a transaction half done
                self.close()
                # After one timeout, do not wait again and again for each row.
                self._timed_out |= is_busy(error)
                raise
            self._timed_out &= not write

    def remove(self) -> None:
        """Remove the data files, whatever they hold, and nothing else.

        Other threads and processes notice at their next transaction that their file was
        removed, and open a new one.

        Raises
        ------
        OSError
            If the files cannot be removed, or another process is opening them for too long.
        """
        with self.lock:
            self.close()
            if not self._home.is_dir():
                return
            try:
                with self._files_locked(self.timeout):
                    for name in _DATABASE_FILES:
                        (self._home / name).unlink(missing_ok=True)
            except sqlite3.Error as error:
                raise OSError(f"{self._home} cannot be emptied: {error}") from error

    def close(self) -> None:
        """Close the connection; the next transaction opens another one."""
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _open(self, timeout: float) -> sqlite3.Connection:
        if self._connection is None or self._identity != identity(self._path):
            self.close()
            with self._files_locked(timeout):
                self._connection = self._opened(timeout)
                self._identity = identity(self._path)
        return self._connection

    def _opened(self, timeout: float) -> sqlite3.Connection:
        connection = _connect(self._path, timeout)
        try:
            connection.text_factory = bytes  # a damaged record may hold text that is no UTF-8
            for setting in _SETTINGS:
                connection.execute(f"PRAGMA {setting}").close()
            self._check_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_tables(self, connection: sqlite3.Connection) -> None:
        select = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
        if not connection.execute(select).fetchall():
            connection.execute(_SCHEMA)
        if connection.execute(select).fetchall() != [(_SCHEMA.encode(),)]:
            raise DamagedError(f"{self._path} holds tables of another kind")

    @contextmanager
    def _files_locked(self, timeout: float) -> Iterator[None]:
        """Let no other process open, create or remove the files.

        SQLite itself does not protect against the removal of a file while another process opens
        it and the log beside it.
        """
        make_private_folders(self.folder, self._home, (*_DATABASE_FILES, _LOCK))
        with closing(_connect(self._home / _LOCK, timeout)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    if not path.exists():
        path.touch(mode=0o600)  # SQLite would let others read it
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


def data_size(connection: sqlite3.Connection) -> int:
    """Return the bytes of all pages that hold data.

    The file may be larger: SQLite keeps the pages of removed rows for new ones.
    """
    settings = ("page_count", "freelist_count", "page_size")
    pages, free, size = (connection.execute(f"PRAGMA {s}").fetchone()[0] for s in settings)
    return (pages - free) * size
