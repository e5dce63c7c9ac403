"""Start a training in a process of its own. Imports no torch: the dashboard starts in a second."""

import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from prunescope.engine.config import RunConfig, check_fits, check_within_reach
from prunescope.engine.store import Run, Store, StoreError

# Running, or about to: a second worker would find the lock taken.
_BUSY = ("running", "paused", "not responding")


def launch(
    store: Store,
    config: RunConfig | Mapping[str, Any],
    *,
    name: str | None = None,
    parent: str | None = None,
    trusted: bool = False,
    tie: bool = False,
) -> str:
    """Create a run and start a worker for it; returns the run's id at once.

    The worker outlives this process. Its output goes to ``log.txt`` in the run's folder.

    Parameters
    ----------
    name : shown in lists; the config's own title otherwise
    trusted : the settings come from the user's own shell, so `module:callable` may be imported
    tie : end the worker (cleanly, and resumable) when this process ends, however it ends

    Raises
    ------
    ConfigError
        With every problem of the settings at once, or because the model does not fit the data or
        they are out of reach; nothing is created then.
    """
    checked = RunConfig.from_dict(_as_dict(config), trusted=trusted).in_place
    check_fits(checked)
    check_within_reach(checked)
    run_id = store.create_run(checked.to_dict(), name=name or checked.title, parent=parent)
    start_worker(store.run(run_id), store, trusted=trusted, tie=tie)
    return run_id


def launch_resume(store: Store, run_id: str, *, trusted: bool = False, tie: bool = False) -> None:
    """Start a worker that continues a run from its last checkpoint.

    Raises
    ------
    StoreError
        When the run is busy or done.
    ConfigError
        When the run's settings name code to import, and `trusted` is not given: a run
        folder may be a stranger's.
    """
    run = store.run(run_id)
    if run.status in _BUSY:
        raise StoreError(f"run {run_id} is {run.status}: nothing to resume.")
    if run.status == "done":
        raise StoreError(f"run {run_id} has finished all its epochs: start it again as a new run instead.")
    RunConfig.from_dict(run.config, trusted=trusted)
    start_worker(run, store, trusted=trusted, tie=tie)


def rerun(store: Store, run_id: str, *, trusted: bool = False, tie: bool = False) -> str:
    """Train once more with the settings of a run; returns the new run's id."""
    run = store.run(run_id)
    return launch(store, run.config, name=run.name, parent=run.parent, trusted=trusted, tie=tie)


def start_worker(run: Run, store: Store, *, trusted: bool, tie: bool) -> subprocess.Popen[bytes]:
    """Start the process that trains a run; a second one for the same run ends by itself.

    A new session keeps Ctrl-C in our terminal from reaching it. Never a fork: forking
    after torch has been imported can hang.
    """
    command = [sys.executable, "-m", "prunescope.engine.worker", "--logdir", str(store.root), "--run", run.id]
    if trusted:
        command.append("--trusted")
    else:
        # Without -P, `-m` would let any random.py of the current folder run in the worker.
        command.insert(1, "-P")
    if tie:
        command.append("--tied")
    with (run.path / "log.txt").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, and an id that the store has checked
            command,
            stdin=subprocess.PIPE if tie else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    # Collects the exit status, or the dead worker would stay in the process table as a zombie. The
    # thread also keeps the tie: the pipe's end is closed when this process ends, not before.
    threading.Thread(target=process.wait, name=f"wait for {run.id}", daemon=True).start()
    return process


def _as_dict(config: RunConfig | Mapping[str, Any]) -> Mapping[str, Any]:
    return config.to_dict() if isinstance(config, RunConfig) else config
