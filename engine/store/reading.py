"""The reading side: SQLite opened read-only, value files opened one by one. Never diskcache.

Opening a diskcache is a write: it fails on a full or read-only disk and hangs behind a stopped holder.
"""

import os
import shutil
import sqlite3
import stat
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from prunescope.engine.store import files
from prunescope.engine.store.disk import DATABASE, check_companions
from prunescope.engine.store.errors import RunDamaged, StoreError
from prunescope.engine.store.schema import check_schema

_WAL = f"{DATABASE}-wal"
_BUSY_SECONDS = 2.0
# Values of this product are below 32 KiB in the database; more would be somebody's try to fill the memory.
_LONGEST_VALUE = 1 << 20
# File times move in steps of some milliseconds; of two seconds on some file systems.
_CLOCK_STEP = 3_000_000_000


class ValueFile(NamedTuple):
    """A value file as it was found.

    Checksums cost twice as much as reading, so a file is checked once and then again when it has changed;
    `verified` remembers the stamps of those that were good.
    """

    path: str
    size: int
    stamp: tuple[int, ...]
    verified: dict[str, tuple[int, ...]]

    @property
    def is_verified(self) -> bool:
        """Whether these very bytes passed their check before."""
        return self.verified.get(self.path) == self.stamp

    def passed(self) -> None:
        """Remember that they did."""
        self.verified[self.path] = self.stamp


class Database:
    """The database of one run, read-only, for any number of threads.

    Parameters
    ----------
    folder : Path
        ``<run>/store``.
    handles : Handles
        Counts it among those that are open.
    """

    def __init__(self, folder: Path, handles: "Handles") -> None:
        self.folder = folder
        self._handles = handles
        self._name = folder.parent.name
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._frozen: tuple[object, ...] | None = None
        self._checked: set[str] = set()
        self.verified: dict[str, tuple[int, ...]] = {}

    @property
    def is_open(self) -> bool:
        """Whether its files are held open."""
        return self._connection is not None

    def exists(self) -> bool:
        """Whether a writer has made the database."""
        return self._connection is not None or os.path.lexists(self.folder / DATABASE)

    def select(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of one SELECT, in a transaction of its own.

        Raises
        ------
        RunDamaged
            If the database is not readable as one of this product.
        StoreError
            If it stayed locked.
        """
        with self._lock:
            try:
                if self._frozen is not None and self._frozen != self.signature():
                    self._disconnect()
                connection = self._connection or self._connect()
                return connection.execute(statement, parameters).fetchall()
            except sqlite3.Error as error:
                self._disconnect()
                raise self._explained(error) from None

    def close(self) -> None:
        """Let go of the files; the next read opens them again."""
        with self._lock:
            self._disconnect()

    def close_if_idle(self) -> bool:
        """Let go of the files unless somebody is reading this moment; True if it did."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._disconnect()
        finally:
            self._lock.release()
        return True

    def signature(self) -> tuple[tuple[int, int, int], ...]:
        """What changes when the database's files change."""
        seen = []
        for name in (DATABASE, _WAL):
            try:
                found = os.lstat(f"{self.folder}/{name}")
            except OSError:
                continue
            if found.st_size:  # a reader leaves an empty log behind
                seen.append((found.st_ino, found.st_size, found.st_mtime_ns))
        return tuple(seen)

    def value_file(self, filename: object) -> "ValueFile":
        """A value file, looked at but not read.

        Raises
        ------
        RunDamaged
            If the name leaves the folder, or no regular file is there.
        """
        if not isinstance(filename, str) or not files.VALUE_FILE.fullmatch(filename):
            raise RunDamaged(
                f"{self._name}: the database names the file {str(filename)[:80]!r}, which is no value file"
            )
        for part in (filename[:2], filename[:5]):
            if part not in self._checked:
                if not files.is_folder(self.folder / part):
                    raise RunDamaged(f"{self._name}: the folder store/{part} is missing or a link")
                self._checked.add(part)
        path = f"{self.folder}/{filename}"
        try:
            found = os.lstat(path)
        except OSError:
            raise RunDamaged(f"{self._name}: the file store/{filename} is missing") from None
        if not stat.S_ISREG(found.st_mode):
            raise RunDamaged(f"{self._name}: store/{filename} is not a regular file")
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return ValueFile(path, found.st_size, stamp, self.verified)

    def _connect(self) -> sqlite3.Connection:
        if not files.is_folder(self.folder):
            raise RunDamaged(f"{self._name}: store/ is not a folder")
        check_companions(self.folder)
        self._checked.clear()
        self.verified.clear()
        self._connection = connection = self._open()
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        for pragma in ("query_only=1", "trusted_schema=0", "cell_size_check=1", "mmap_size=0"):
            connection.execute(f"PRAGMA {pragma}")
        try:
            check_schema(connection, self._name)
        except RunDamaged:
            self._disconnect()
            raise
        self._handles.opened(self)
        return connection

    def _open(self) -> sqlite3.Connection:
        """Read beside a living writer where that is possible, else from what is there."""
        writable = os.access(self.folder, os.W_OK) and not files.network_filesystem(self.folder)
        if writable:
            return _open_uri(self.folder, "mode=ro")
        self._frozen = self.signature()
        if not self._has_log():
            return _open_uri(self.folder, "mode=ro&immutable=1")
        connection = _open_uri(self.folder, "mode=ro")
        try:
            connection.execute("SELECT 1 FROM Cache LIMIT 1").fetchall()
        except sqlite3.OperationalError:
            connection.close()
            # A killed writer's log, on media where SQLite may not make its index: read a copy.
            self._copy = tempfile.TemporaryDirectory(prefix="prunescope-")
            for name in (DATABASE, _WAL):
                shutil.copyfile(self.folder / name, Path(self._copy.name, name), follow_symlinks=False)
            return _open_uri(Path(self._copy.name), "mode=ro")
        self._frozen = None  # the log and its index are both there: changes will be seen
        return connection

    def _has_log(self) -> bool:
        try:
            return os.lstat(self.folder / _WAL).st_size > 0
        except OSError:
            return False

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._handles.closed(self)
        if self._copy is not None:
            self._copy.cleanup()
        self._connection = self._copy = self._frozen = None

    def _explained(self, error: sqlite3.Error) -> StoreError:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return StoreError(f"{self._name}: the database stayed locked for {_BUSY_SECONDS:.0f} s")
        return RunDamaged(f"{self._name}: the database cannot be read ({error})")


def settled(signature: tuple[tuple[int, int, int], ...]) -> bool:
    """Whether files were written long enough ago that another write must change their time."""
    return time.time_ns() - max((modified for _, _, modified in signature), default=0) > _CLOCK_STEP


class Handles:
    """Keeps the number of open databases below a limit: each holds three files open.

    Parameters
    ----------
    limit : int
        How many may be open; the one opened first is closed first.
    """

    def __init__(self, limit: int = 100) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: dict[Database, None] = {}

    def opened(self, database: Database) -> None:
        """Count a database in, and close others if there are too many."""
        with self._lock:
            self._open[database] = None
            surplus = list(self._open)[: max(0, len(self._open) - self._limit)]
        for other in surplus:
            if other is not database:
                other.close_if_idle()

    def closed(self, database: Database) -> None:
        """Count a database out."""
        with self._lock:
            self._open.pop(database, None)


def _open_uri(folder: Path, query: str) -> sqlite3.Connection:
    place = quote(str((folder / DATABASE).absolute()))
    return sqlite3.connect(
        f"file:{place}?{query}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
