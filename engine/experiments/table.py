"""The run table of an experiment: which runs there are, in which state, in which order.

It is the truth; executors and supervisors are disposable. SQLite, one file in the experiment's
folder: the supervisor, the workers and whoever presses a button write it in transactions, so that a
kill at any moment leaves a whole table. Plain columns and JSON; nothing in it is ever executed.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunescope.engine.experiments.cells import Cell
from prunescope.engine.store import RunDamaged, StoreError

FILE = "table.sqlite"
STATES = ("queued", "running", "paused", "done", "failed", "cancelled")
# After so many deaths of its process a run is not tried again.
ATTEMPTS_ALONE = 4
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS cells(
    key TEXT PRIMARY KEY, position REAL NOT NULL, cell TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'queued',
    wish TEXT NOT NULL DEFAULT '', attempt INTEGER NOT NULL DEFAULT 0, crashes INTEGER NOT NULL DEFAULT 0,
    run_id TEXT, error TEXT NOT NULL DEFAULT '', begun REAL, ended REAL, seconds REAL NOT NULL DEFAULT 0,
    result TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT OR IGNORE INTO facts VALUES('version', '0'), ('paused', '0');
COMMIT;
"""
_COLUMNS = "key, position, cell, state, wish, attempt, crashes, run_id, error, begun, ended, seconds, result"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run of the experiment.

    Attributes
    ----------
    wish : "", or what a running one is asked for: "stop", "pause", "cancel"
    attempt : the newest token; a task with an older one ends by itself
    crashes : deaths of its process so far
    seconds : computing time of all attempts that ended in order
    result : JSON facts of a finished run
    """

    key: str
    position: float
    cell: Cell
    state: str
    wish: str
    attempt: int
    crashes: int
    run_id: str | None
    error: str
    begun: float | None
    ended: float | None
    seconds: float
    result: dict[str, Any]


class Table:
    """The rows of one experiment; safe to use from many threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.RLock()
        self._database: Any = None
        try:
            self._database = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA trusted_schema=OFF")
            # No write-ahead log: one file, readable in a folder that nobody may write, and few writes a second.
            if not self._database.execute("SELECT 1 FROM sqlite_master WHERE name='facts'").fetchone():
                self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            if self._database is not None:
                self._database.close()
            raise StoreError(f"{self._path}: the run table cannot be opened ({error}).") from error

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def version(self) -> int:
        """Moves on with every change; some microseconds to read."""
        return int(self._fact("version"))

    @property
    def paused(self) -> bool:
        """Whether nothing new may begin."""
        return self._fact("paused") == "1"

    def rows(self) -> list[Row]:
        """All rows, in the order in which they will run."""
        found = self._read(f"SELECT {_COLUMNS} FROM cells ORDER BY position, key")  # noqa: S608 - our own names
        return [self._row(values) for values in found]

    def row(self, key: str) -> Row:
        """One row; StoreError if there is none."""
        found = self._read(f"SELECT {_COLUMNS} FROM cells WHERE key=?", key)  # noqa: S608 - our own names
        if not found:
            raise StoreError(f"no run {key!r} in this experiment; `experiments show --json` lists them.")
        return self._row(found[0])

    def add(self, cells: Iterable[Cell]) -> None:
        """Queue cells behind the others; those that are there already stay as they are."""
        with self._change() as execute:
            last = execute("SELECT coalesce(max(position), 0) FROM cells").fetchone()[0]
            for index, cell in enumerate(cells, start=1):
                execute(
                    "INSERT OR IGNORE INTO cells(key, position, cell) VALUES(?, ?, ?)",
                    (cell.key, last + index, cell.to_json()),
                )

    def begin(self, key: str, run_id: str) -> int:
        """A task takes the run up: returns its attempt token, which is the newest from now on."""
        with self._change() as execute:
            execute(
                "UPDATE cells SET attempt=attempt+1, state='running', run_id=?, begun=?, ended=NULL, error='' "
                "WHERE key=?",
                (run_id, time.time(), key),
            )
            return int(execute("SELECT attempt FROM cells WHERE key=?", (key,)).fetchone()[0])

    def wish(self, key: str, attempt: int) -> str:
        """What is wanted of a running task: "" to go on, "stop" also when a newer attempt began."""
        found = self._read("SELECT wish, attempt FROM cells WHERE key=?", key)
        return "" if found and found[0] == ("", attempt) else "stop"

    def finish(self, key: str, result: Mapping[str, Any]) -> None:
        """The run is done."""
        now = time.time()
        with self._change() as execute:
            execute(
                "UPDATE cells SET state='done', wish='', ended=?, seconds=seconds+(?-coalesce(begun, ?)), result=?, "
                "error='' WHERE key=?",
                (now, now, now, json.dumps(result), key),
            )

    def release(self, key: str) -> None:
        """A running run has stopped as was wished; where it goes follows from the wish."""
        now = time.time()
        with self._change() as execute:
            execute(
                "UPDATE cells SET state=CASE wish WHEN 'pause' THEN 'paused' WHEN 'cancel' THEN 'cancelled' "
                "ELSE 'queued' END, wish='', ended=?, seconds=seconds+(?-coalesce(begun, ?)) WHERE key=?",
                (now, now, now, key),
            )

    def fail(self, key: str, error: str) -> None:
        """The run failed for good; the others go on."""
        with self._change() as execute:
            execute("UPDATE cells SET state='failed', wish='', ended=?, error=? WHERE key=?", (time.time(), error, key))

    def suspect(self, keys: Sequence[str]) -> None:
        """Processes died while these ran: count it, and queue them again unless it was once too often."""
        with self._change() as execute:
            for key in keys:
                execute(
                    "UPDATE cells SET crashes=crashes+1, state='queued', wish='' WHERE key=? AND state='running'",
                    (key,),
                )
                execute(
                    "UPDATE cells SET state='failed', ended=?, error=? WHERE key=? AND state='queued' AND crashes>?",
                    (time.time(), _CRASH, key, ATTEMPTS_ALONE),
                )

    def requeue_running(self) -> None:
        """At the start of a supervisor nothing runs, whatever the last one left behind."""
        with self._change() as execute:
            execute("UPDATE cells SET state='queued', wish='' WHERE state='running'")

    def requeue(self, keys: Iterable[str]) -> None:
        """Compute done runs again whose folders are gone."""
        with self._change() as execute:
            for key in keys:
                execute("UPDATE cells SET state='queued', result='{}' WHERE key=?", (key,))

    def stop_running(self) -> None:
        """Ask every running task to save and end; it is then queued again."""
        with self._change() as execute:
            execute("UPDATE cells SET wish='stop' WHERE state='running' AND wish=''")

    def pause_all(self, paused: bool) -> None:
        """Let nothing new begin, and save and stop what runs; or go on."""
        with self._change() as execute:
            execute("UPDATE facts SET value=? WHERE name='paused'", ("1" if paused else "0",))
            if paused:
                execute("UPDATE cells SET wish='stop' WHERE state='running' AND wish=''")

    def cancel_all(self) -> None:
        """Leave out everything that is not done; what was recorded stays."""
        with self._change() as execute:
            execute("UPDATE cells SET state='cancelled' WHERE state IN ('queued', 'paused')")
            execute("UPDATE cells SET wish='cancel' WHERE state='running'")

    def retry_all(self) -> None:
        """Queue everything again that failed or was cancelled."""
        with self._change() as execute:
            execute("UPDATE cells SET state='queued', error='', crashes=0 WHERE state IN ('failed', 'cancelled')")

    def pause(self, key: str) -> None:
        """Hold one run; a running one is saved first."""
        self._ask(key, {"queued": "state='paused'", "running": "wish='pause'"}, "pause")

    def resume(self, key: str) -> None:
        """Let a paused run go on."""
        self._ask(key, {"paused": "state='queued'", "running": "wish=''"}, "resume")

    def cancel(self, key: str) -> None:
        """Leave a run out; what it recorded stays."""
        self._ask(
            key, {"queued": "state='cancelled'", "paused": "state='cancelled'", "running": "wish='cancel'"}, "cancel"
        )

    def retry(self, key: str) -> None:
        """Queue a failed or cancelled run again."""
        change = "state='queued', error='', crashes=0"
        self._ask(key, {"failed": change, "cancelled": change}, "retry")

    def first(self, key: str) -> None:
        """Move a waiting run to the front of the queue."""
        change = "position=(SELECT min(position) FROM cells)-1"
        self._ask(key, {"queued": change, "paused": change}, "move")

    def _ask(self, key: str, changes: Mapping[str, str], verb: str) -> None:
        with self._change() as execute:
            for state, change in changes.items():
                done = execute(f"UPDATE cells SET {change} WHERE key=? AND state=?", (key, state))  # noqa: S608 - ours
                if done.rowcount:
                    return
        raise StoreError(f"{key} is {self.row(key).state}: only a run that is {' or '.join(changes)} can {verb}.")

    def _fact(self, name: str) -> str:
        return str(self._read("SELECT value FROM facts WHERE name=?", name)[0][0])

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                found: list[tuple[Any, ...]] = self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: the run table cannot be read ({error}).") from error
        return found

    @contextmanager
    def _change(self) -> Iterator[Any]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield self._database.execute
                    self._database.execute("UPDATE facts SET value=value+1 WHERE name='version'")
                    self._database.execute("COMMIT")
                except BaseException:
                    self._database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: the run table cannot be written ({error}).") from error

    def _row(self, values: Sequence[Any]) -> Row:
        named = dict(zip(_COLUMNS.split(", "), values, strict=True))
        try:
            return Row(**{**named, "cell": Cell.from_json(named["cell"]), "result": json.loads(named["result"])})
        except (ValueError, TypeError, KeyError) as error:
            raise RunDamaged(f"{self._path}: row {named['key']!r} is not a run ({error}).") from error


_CRASH = (
    "crash: the process died each time this run was computed. Out of memory? Make the net or the batch smaller, "
    "then retry."
)
