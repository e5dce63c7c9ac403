"""The writing side of diskcache, with pickle, eviction and silent retries taken out."""

import os
import secrets
import sqlite3
from pathlib import Path
from typing import Any

import diskcache
from prunescope.engine.store import files
from prunescope.engine.store.errors import RunDamaged, StoreError
from prunescope.engine.store.records import Record
from prunescope.engine.store.schema import check_schema, check_settings

DATABASE = "cache.db"
# Seconds to wait for a stranger that holds the database; then the caller hears of it.
TIMEOUT = 3.0

# Pages of the log before a commit also folds it into the database, which waits for the disk: at SQLite's
# default of 1,000 that is every 86th commit. The end of a run folds it, too.
_LOG_PAGES = 8000
_RAW, _BINARY = 1, 2
_FILES_A_FOLDER = 256

SETTINGS = {
    # The default evicts from 1 GiB on, oldest first and silently. "none" alone still drops expired rows.
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 2**62,
    "statistics": 0,
    "tag_index": 0,
    "sqlite_auto_vacuum": 0,
    "sqlite_journal_mode": "wal",
    # A file that somebody truncates must be an error, not a SIGBUS.
    "sqlite_mmap_size": 0,
    "sqlite_synchronous": 1,
    "disk_min_file_size": 2**15,
    "disk_pickle_protocol": 0,
}
_FULL_SYNC = 2


class PlainDisk(diskcache.Disk):  # type: ignore[misc]  # untyped
    """A disk that knows str keys and `Record` values, and refuses everything else.

    Stock diskcache pickles whatever it does not know, keys too (a tuple, a numpy integer, None).
    """

    def __init__(self, directory: str, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self.written: list[str] = []  # files since the last `take_written`, relative
        self._shard, self._left = "", 0

    def put(self, key: object) -> tuple[str, bool]:
        """A key for the database: itself, if it is text."""
        if type(key) is not str:
            raise StoreError(f"key {key!r}: keys are text")
        return key, True

    def get(self, key: object, raw: object) -> str:
        """A key from the database: itself, if it is text."""
        if type(key) is not str or not raw:
            raise RunDamaged(f"the database has the key {key!r}, which is not text")
        return key

    def store(
        self, value: object, read: bool, key: object = None
    ) -> tuple[int, int, str | None, bytes | None]:
        """Small records go into the database, large ones into a file of their own."""
        if not isinstance(value, Record) or read:
            raise StoreError(f"key {key!r}: a {type(value).__name__} cannot be stored, only a record")
        if value.size < self.min_file_size:
            return 0, _RAW, None, value.joined()
        name = self._new_name()
        self._write_record(name, value)
        return value.size, _BINARY, name, None

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> bytes:
        """Bytes of a value; a pickled one is refused."""
        if mode == _RAW and isinstance(value, bytes):
            return value
        if mode == _BINARY and isinstance(filename, str) and files.VALUE_FILE.fullmatch(filename):
            with os.fdopen(files.open_regular(Path(self._directory, filename)), "rb") as file:
                return file.read()
        raise RunDamaged(
            f"the database has a value of mode {mode} in {filename!r}; only plain bytes are read"
        )

    def remove(self, file_path: str) -> None:
        """Delete a value file; a name that points elsewhere deletes nothing."""
        if files.VALUE_FILE.fullmatch(file_path):
            super().remove(file_path)

    def take_written(self) -> list[str]:
        """Names of the files written since the last call."""
        names, self.written = self.written, []
        return names

    def _new_name(self) -> str:
        # Stock names scatter over 65,536 folders: two mkdirs a file, and twice the work to make them durable.
        if self._left == 0:
            self._shard, self._left = f"{secrets.token_hex(1)}/{secrets.token_hex(1)}", _FILES_A_FOLDER
            self._make_shard()
        self._left -= 1
        return f"{self._shard}/{secrets.token_hex(14)}.val"

    def _make_shard(self) -> None:
        """Make the folder of the next files; not the store itself, when somebody removed the run."""
        folder = Path(self._directory, self._shard)
        for part in (folder.parent, folder):
            part.mkdir(mode=0o700, exist_ok=True)

    def _write_record(self, name: str, record: Record) -> None:
        path = Path(self._directory, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(path, flags, 0o600)
        except FileNotFoundError:  # diskcache removes folders that became empty
            self._make_shard()
            handle = os.open(path, flags, 0o600)
        self.written.append(name)
        try:
            for part in record.parts:
                files.write_all(handle, part)
        except BaseException:
            self._left = 0
            path.unlink(missing_ok=True)  # a partial file would also keep the room that is missing
            raise
        finally:
            os.close(handle)


def open_cache(folder: Path, *, durable: bool = False) -> diskcache.Cache:
    """Open the database of a run for writing.

    Raises
    ------
    RunDamaged
        If it holds more than diskcache makes: nothing of it has run then.
    StoreError
        If another program keeps the database locked.
    """
    if (folder / DATABASE).exists():
        check_database(folder)
    cache = diskcache.Cache(str(folder), timeout=TIMEOUT, disk=PlainDisk, **SETTINGS)
    cache._sql(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}").fetchall()
    if durable:
        cache.reset("sqlite_synchronous", _FULL_SYNC)
    return cache


def check_database(folder: Path) -> None:
    """Refuse a stranger's database before diskcache runs a statement on it, and a lock that would hang it."""
    check_companions(folder)
    connection = sqlite3.connect(folder / DATABASE, timeout=TIMEOUT, isolation_level=None)
    try:
        connection.execute("PRAGMA trusted_schema=0")
        check_schema(connection, folder.parent.name)
        check_settings(connection, folder.parent.name)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreError(
                f"{folder}: another program keeps the database locked. Close it, then retry."
            ) from None
        raise
    except sqlite3.DatabaseError as error:
        raise RunDamaged(f"{folder.parent.name}: {error}") from None
    finally:
        connection.close()


def check_companions(folder: Path) -> None:
    """RunDamaged if a file beside the database would make SQLite write or delete elsewhere."""
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        if files.is_irregular(folder / name):
            raise RunDamaged(
                f"{folder / name}: not a regular file; a run folder holds no links, pipes or devices"
            )
    # This product never has one; a planted one can name any file for SQLite to delete.
    if os.path.lexists(folder / f"{DATABASE}-journal"):
        raise RunDamaged(f"{folder}: has a rollback journal, which no writer of this product leaves")


def restore_settings(cache: diskcache.Cache) -> list[str]:
    """Turn eviction off again if a stranger turned it on; returns the settings that had changed."""
    held = dict(cache._sql("SELECT key, value FROM Settings WHERE key IN ('eviction_policy', 'cull_limit')"))
    changed = [key for key in held if held[key] != SETTINGS[key]]
    for key in changed:
        cache.reset(key, SETTINGS[key])
    return changed


def remove_orphans(cache: diskcache.Cache, folder: Path) -> int:
    """Delete value files that no row names: a killed writer leaves at most those of one epoch.

    diskcache's own ``check(fix=True)`` would also drop rows whose file is missing, and so hide a loss.
    """
    named = {name for (name,) in cache._sql("SELECT filename FROM Cache WHERE filename IS NOT NULL")}
    removed = 0
    for path in folder.glob("??/??/*.val"):
        name = path.relative_to(folder).as_posix()
        # A planted link could lead out of the folder.
        real = files.is_folder(path.parent) and files.is_folder(path.parent.parent)
        if real and name not in named and files.VALUE_FILE.fullmatch(name):
            path.unlink()
            removed += 1
    return removed
