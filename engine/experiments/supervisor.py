"""Keeps an executor busy with what the run table has queued, and survives the executor.

When processes die, whatever had begun is a suspect: it is run again *alone*, so that one run which
kills its process is told from those that only stood beside it. Any other error ends that run at once
and no other. At the start everything that is not done, failed, paused or cancelled is queued.
"""

import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from functools import partial

from prunescope.engine.experiments.executor import LocalExecutor, executor_width, open_executor
from prunescope.engine.experiments.folder import Described
from prunescope.engine.experiments.table import Row, Table
from prunescope.engine.experiments.task import run_cell
from prunescope.engine.store import Store, StoreError
from prunescope.engine.store.locks import RunLock
from prunescope.engine.store.status import Heartbeat
from prunescope.engine.training.control import ended_by

TICK_SECONDS = 0.2
# A broken executor is opened again, but not as fast as it can break.
_BREATH_SECONDS = 0.5
# Workers that die before any run began will go on to do so.
_BREAKS_IN_VAIN = 4

Progress = Callable[[list[Row]], None]


class Supervisor:
    """Works on one experiment until nothing is left to do.

    Parameters
    ----------
    executor : a URL, see `open_executor`
    trusted : whether `module:callable` settings may be imported; only from the user's own shell
    progress : called with all rows whenever the table has changed

    Raises
    ------
    RunLocked
        From `run`, if another supervisor works on the experiment.
    """

    def __init__(
        self, store: Store, described: Described, *, executor: str = "local", trusted: bool = False,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self._store, self._described, self._url, self._trusted = store, described, executor, trusted
        self._progress = progress or (lambda rows: None)
        self._width = executor_width(executor)
        self._executor: Executor | None = None
        self._flying: dict[Future[str], str] = {}
        self._seen = -1
        self._in_vain = 0

    def run(self) -> None:
        """Compute what is queued; returns when nothing can run any more, or all is paused and idle.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C or SIGTERM, once the running runs have been saved. A second one ends at once.
        """
        lock = RunLock(self._described.path)
        heartbeat = Heartbeat(self._described.path)
        try:
            with self._described.table() as table, ended_by(signal.SIGINT, signal.SIGTERM) as ending:
                table.requeue_running()
                self._requeue_lost_parents(table)
                while not ending.is_set() and self._step(table):
                    pass
                if ending.is_set():
                    self._wind_down(table)
                    raise KeyboardInterrupt
        finally:
            self._close()
            heartbeat.stop()
            lock.release()

    def _step(self, table: Table) -> bool:
        """Submit what can begin and wait a moment; returns whether anything is left."""
        rows = table.rows()
        if table.version != self._seen:
            self._seen = table.version
            self._progress(rows)
        chosen = [] if table.paused else ready(rows, set(self._flying.values()), self._width)
        for key in chosen:
            self._submit(key)
        if not self._flying:
            return bool(chosen)
        done, _ = wait(self._flying, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
        self._collect(table, done)
        return True

    def _submit(self, key: str) -> None:
        if self._executor is None:
            self._executor = open_executor(self._url)
        task = partial(run_cell, str(self._store.root.absolute()), self._described.id, key, trusted=self._trusted)
        try:
            self._flying[self._executor.submit(task)] = key
        except (BrokenExecutor, RuntimeError):
            # It broke between two looks: the futures that it had will say so.
            self._note_break(in_vain=True)

    def _collect(self, table: Table, done: set[Future[str]]) -> None:
        broken, lost = False, list[str]()
        for future in done:
            key = self._flying.pop(future)
            try:
                future.result()
            except (BrokenExecutor, CancelledError, ConnectionError):
                broken = True
                lost.append(key)
            except Exception as error:
                # `run_cell` notes what fails inside; this is a fault around it.
                table.fail(key, f"{type(error).__name__}: {error}")
        if done and not broken:
            self._in_vain = 0
        if broken:
            # All futures of a broken executor fail together; those not seen yet belong to it too.
            lost += self._flying.values()
            self._flying.clear()
            begun = any(row.state == "running" for row in table.rows())
            table.suspect(lost)
            self._note_break(in_vain=not begun)

    def _note_break(self, *, in_vain: bool) -> None:
        """Give a broken executor up; the next submission opens another, but not for ever."""
        self._close()
        self._in_vain = self._in_vain + 1 if in_vain else 0
        if self._in_vain >= _BREAKS_IN_VAIN:
            raise StoreError(
                f"{self._url}: its processes died {_BREAKS_IN_VAIN} times before a run began. Out of memory, or "
                "an installation that does not import? Try: prunescope doctor."
            )
        time.sleep(_BREATH_SECONDS)

    def _wind_down(self, table: Table) -> None:
        """Save what runs, and leave everything queued that is not done."""
        table.stop_running()
        while self._flying:
            # A run that had not begun when the others were asked begins now; it is asked in turn.
            table.stop_running()
            for future in [future for future in self._flying if future.cancel()]:
                self._flying.pop(future)
            done, _ = wait(self._flying, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
            self._collect(table, done)
        self._progress(table.rows())

    def _requeue_lost_parents(self, table: Table) -> None:
        """A done run that somebody deleted is computed again if another still starts from it."""
        rows = table.rows()
        known = {run.id for run in self._store.runs()}
        needed = {parent for row in rows if row.state not in ("done", "cancelled") for parent in row.cell.parents}
        by_key = {row.key: row for row in rows}
        lost: set[str] = set()
        waiting = list(needed)
        while waiting:
            key = waiting.pop()
            if by_key[key].state == "done" and self._described.run_id(key) not in known and key not in lost:
                lost.add(key)
                waiting.extend(by_key[key].cell.parents)
        if lost:
            table.requeue(sorted(lost))

    def _close(self) -> None:
        executor, self._executor = self._executor, None
        if isinstance(executor, LocalExecutor):
            executor.kill()
        elif executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)


def ready(rows: list[Row], flying: set[str], width: int) -> list[str]:
    """Which queued runs to begin now, in the order of the queue.

    Only as many as there are processes, so that order, pause and cancel stay effective. A suspect
    begins when nothing else runs, and nothing else begins beside it.
    """
    states: Mapping[str, str] = {row.key: row.state for row in rows}
    crashes = {row.key: row.crashes for row in rows}
    if any(crashes[key] for key in flying):
        return []
    able = [
        row.key
        for row in rows
        if row.state == "queued" and row.key not in flying and all(states[p] == "done" for p in row.cell.parents)
    ]
    suspects = [key for key in able if crashes[key]]
    if suspects:
        return [] if flying else suspects[:1]
    return able[: max(0, width - len(flying))]
