"""The database of a run as its writer sees it: transactions, what to do when there is no room, durability."""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import diskcache
from prunescope.engine.store import disk, files, keys, records
from prunescope.engine.store.errors import RunDamaged, StoreError, StoreFull
from prunescope.engine.store.head import Head
from prunescope.engine.store.room import Ballast, is_full

STORE = "store"
_ROW = "SELECT mode, filename, value FROM Cache WHERE key=? AND raw=1"

Result = TypeVar("Result")


class Ledger:
    """``<run>/store`` opened for writing. The caller holds the run's lock, and calls one thread at a time.

    Parameters
    ----------
    path : Path
        The run folder.
    durable : bool
        Make every transaction survive a power cut.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._path = path
        self._folder = path / STORE
        self._durable = durable
        self._unsynced: list[str] = []
        self._ballast = Ballast(path)
        self._cache = self.guarded("open the run", self._open)
        try:
            self.head = self._read_head()
        except BaseException:
            self._cache.close()
            raise

    def value(self, key: str) -> bytes | None:
        """Bytes of a record, or None if there is none of that key."""
        rows = self._cache._sql(_ROW, (key,)).fetchall()
        return self._cache.disk.fetch(*rows[0], False) if rows else None

    def write(self, what: str, values: Mapping[str, records.Record], **changes: Any) -> int:
        """All `values` and the head with these `changes` in one transaction; returns the new version.

        The files of a failed transaction are removed.
        """
        head = replace(self.head, version=self.head.version + 1, updated=time.time(), **changes)
        self.guarded(what, lambda: self._transaction(values, head))
        self.head = head
        return head.version

    def guarded(self, what: str, act: Callable[[], Result]) -> Result:
        """Run `act`; no room becomes StoreFull, and is noted in the head with the room of the ballast."""
        try:
            return act()
        except diskcache.Timeout:
            raise StoreError(
                f"{self._path.name}: cannot {what}: another program locks the database"
            ) from None
        except (OSError, sqlite3.Error) as error:
            if not is_full(error, self._path):
                raise StoreError(f"{self._path.name}: cannot {what}: {error}") from error
            self._ballast.drop()
            message = f"The disk is full: cannot {what}. Everything before is kept. Free space, then resume."
            with suppress(OSError, sqlite3.Error, diskcache.Timeout, AttributeError):
                head = replace(
                    self.head,
                    version=self.head.version + 1,
                    updated=time.time(),
                    state="failed",
                    message=message,
                )
                self._transaction({}, head)
                self.head = head
            raise StoreFull(f"{self._path.name}: {message}") from error

    def make_durable(self) -> None:
        """Let everything committed so far survive a power cut; the head says so afterwards."""
        if self.head.durable_epoch == self.head.epoch:
            return
        self._sync(self._unsynced)
        # The log, not a checkpoint of it: its frames carry checksums and are replayed after a power cut.
        for name in (f"{disk.DATABASE}-wal", disk.DATABASE, "."):
            files.sync(self._folder / name)
        files.sync(self._path)
        self._unsynced = []
        self.write("note what is durable", {}, durable_epoch=self.head.epoch)

    def close(self) -> None:
        """Fold the log into the database, so that an archive of the folder is one file, and let go."""
        with suppress(sqlite3.Error):
            self._cache._sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._cache.close()

    def _open(self) -> diskcache.Cache:
        for leftover in self._path.glob(".store-*"):
            files.remove_tree(leftover)
        if not files.is_folder(self._folder):
            self._create()
        cache = disk.open_cache(self._folder, durable=self._durable)
        try:
            disk.remove_orphans(cache, self._folder)
        except BaseException:
            cache.close()
            raise
        return cache

    def _create(self) -> None:
        """Make the database aside and rename it, so that readers never meet a half-made one."""
        aside = self._path / f".store-{time.time_ns()}"
        aside.mkdir(mode=0o700)
        try:
            cache = disk.open_cache(aside)
            with cache.transact():
                cache.set(keys.SCHEMA, records.pack_json({"format": 1}))
                cache.set(keys.HEAD, Head(updated=time.time()).pack())
            cache.close()
            aside.rename(self._folder)
        except BaseException:
            files.remove_tree(aside)
            raise

    def _read_head(self) -> Head:
        data = self.value(keys.HEAD)
        if data is None:
            raise RunDamaged(f"{self._path.name}: the head is missing")
        return Head.unpack(data, self._path.name)

    def _transaction(self, values: Mapping[str, records.Record], head: Head) -> None:
        cache = self._cache
        cache.disk.take_written()
        try:
            with cache.transact():
                disk.restore_settings(cache)
                for key, record in values.items():
                    cache.set(key, record)
                if self._durable:
                    self._sync(cache.disk.written)
                cache.set(keys.HEAD, head.pack())
        except BaseException:
            # After a failed COMMIT the transaction is still open, and would refuse the next one.
            with suppress(sqlite3.Error):
                if cache._con.in_transaction:
                    cache._con.execute("ROLLBACK")
            for name in cache.disk.take_written():
                (self._folder / name).unlink(missing_ok=True)
            raise
        self._unsynced += cache.disk.take_written()

    def _sync(self, names: Sequence[str]) -> None:
        for name in names:
            files.sync(self._folder / name)
        for folder in {part for name in names for part in (name[:5], name[:2], ".")}:
            files.sync(self._folder / folder)
