"""One run of an experiment, computed in a worker.

Here the worker writes its snapshots into the run's own folder in the store: one writer per run,
enforced by the kernel's lock, is all that a single machine needs. Workers elsewhere could not; they
would send snapshots to a writer beside the store, which would refuse those of an old attempt. The
attempt token already does its part: whoever holds an old one ends at the next look.
"""

import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.experiments.results import result_of
from prunescope.engine.experiments.table import Row, Table
from prunescope.engine.store import Run, RunLocked, RunNotFound, RunWriter, Store, checkpoints, room
from prunescope.engine.training.control import Control, ended_by
from prunescope.engine.training.start import FILE as START_FILE
from prunescope.engine.training.start import write_start

# An attempt that was given up looks every tenth of a second, and an orphan lives for half of one.
LOCK_PATIENCE = 30.0


def run_cell(root: str, experiment_id: str, key: str, *, trusted: bool = False) -> str:
    """Compute one run, or what is left of it, and note in the run table how it ended.

    Returns
    -------
    "done", "stopped" (saved; as was wished), "failed" (the table says why)
    """
    store = Store(root)
    described = Experiments(store).open(experiment_id)
    with described.table() as table:
        row = table.row(key)
        run_id = described.run_id(key)
        attempt = table.begin(key, run_id)
        try:
            ended = _compute(store, described, table, row, attempt, trusted=trusted)
        except Exception as error:
            if table.row(key).attempt == attempt:
                table.fail(key, _in_one_line(error))
            _log(store, run_id)
            return "failed"
        finally:
            store.close()
        return ended


def _compute(store: Store, described: Described, table: Table, row: Row, attempt: int, *, trusted: bool) -> str:
    key = row.key
    run = _find_or_make(store, described, table, row, trusted=trusted)
    if run.status != "done":
        from prunescope.engine.config import RunConfig
        from prunescope.engine.training.session import work

        config = RunConfig.from_dict(run.config, trusted=trusted)
        with _writer(store, run.id) as writer, ended_by(signal.SIGTERM) as ending:
            writer.requests()  # what was asked of an earlier attempt is void

            def requests() -> list[str]:
                wish = table.wish(key, attempt)
                return [*writer.requests(), *([wish] if wish else [])]

            work(writer, config, Control(requests, ending))
    if run.status == "done":
        free_reserves(run.path)
    else:
        if table.row(key).attempt == attempt:
            table.release(key)
        return "stopped"
    if table.row(key).attempt == attempt:
        table.finish(key, result_of(run, row.cell.treatment.get("measures", ())))
    return "done"


def _find_or_make(store: Store, described: Described, table: Table, row: Row, *, trusted: bool) -> Run:
    """The run's folder with all that it starts from; made by an earlier attempt, or now."""
    cell, run_id = row.cell, described.run_id(row.key)

    def run_of(key: str) -> Run:
        return store.run(described.run_id(key))

    try:
        run = store.run(run_id)
        if (run.path / START_FILE).exists() or run.status == "done":
            return run
    except RunNotFound:
        run = None
    from prunescope.engine.experiments.treatment import prepare

    prepared = prepare(cell, run_of, trusted=trusted)
    if run is None:
        parent = described.run_id(cell.parents[0]) if cell.parents else None
        # The runs of a sweep are all of one arm, and some labels name theirs: the point then says it all.
        alone = cell.arm == "sweep" or cell.label.startswith(cell.arm)
        told = cell.label if alone else f"{cell.arm} {cell.label}".strip()
        name = f"{described.experiment.name}: {told}, seed {cell.seed}"
        store.create_run(prepared.config.to_dict(), name=name, run_id=run_id, parent=parent)
        run = store.run(run_id)
    facts = {**prepared.start.facts, "experiment": described.id}
    write_start(run.path, replace(prepared.start, facts=facts))
    return run


def free_reserves(folder: Path) -> None:
    """Give back what only an unfinished run needs: 3 MB a run are 3 GB a thousand."""
    for checkpoint in (folder / checkpoints.FOLDER).glob("*.ckpt"):
        checkpoint.unlink(missing_ok=True)
    (folder / room.FILE).unlink(missing_ok=True)


@contextmanager
def _writer(store: Store, run_id: str) -> Iterator[RunWriter]:
    """The run's writer, waiting for an attempt that is about to end."""
    until = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            writer = store.writer(run_id)
            break
        except RunLocked:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    with writer:
        yield writer


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:1000]


def _log(store: Store, run_id: str) -> None:
    """Leave the traceback where the run's page looks for it."""
    folder = store.root / run_id
    if folder.is_dir():
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(traceback.format_exc())
