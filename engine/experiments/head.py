"""Work on an experiment in a process of its own: ``python -m prunescope.engine.experiments.head``.

Started from the browser it outlives the dashboard. One such process computes at a time in a log
directory; the others wait their turn, so that two queued experiments do not halve each other's cores.
Imports no torch.
"""

import argparse
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prunescope.engine.experiments.executor import executor_width
from prunescope.engine.experiments.folder import FOLDER, Described, Experiments
from prunescope.engine.experiments.specs import Experiment
from prunescope.engine.experiments.supervisor import Supervisor
from prunescope.engine.store import RunLocked, Store, StoreError

OK, FAILED = 0, 1
TURN = "turn.lock"
LOG = "head.log"
_LOOK_SECONDS = 0.5


def launch_experiment(store: Store, experiment: Experiment, *, executor: str = "local:1", command: str = "") -> str:
    """Put an experiment on the disk and let a process of its own work on it; returns its id at once.

    One process by default: on two cores the pages stay responsive beside it.

    Raises
    ------
    ValueError
        For an executor that is not supported; nothing is made then.
    """
    executor_width(executor)
    described = Experiments(store).create(experiment, command=command)
    ensure_head(store, described, executor=executor)
    return described.id


def ensure_head(store: Store, described: Described, *, executor: str = "local:1") -> None:
    """Start a process for an experiment unless one works on it; a second one would end by itself."""
    if described.is_working:
        return
    command = [
        sys.executable, "-P", "-m", __name__, "--logdir", str(store.root.absolute()), "--experiment", described.id,
        "--executor", executor,
    ]  # fmt: skip
    with (described.path / LOG).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, and an id that was looked up
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    # Collects the exit status, or the dead process would stay in the process table.
    threading.Thread(target=process.wait, name=f"wait for {described.id}", daemon=True).start()


@contextmanager
def turn(store: Store) -> Iterator[None]:
    """Wait until no other background process computes in this log directory."""
    handle = os.open(store.root / FOLDER / TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(handle)


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until nothing is left to do; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__)
    parser.add_argument("--logdir", required=True, type=Path)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--executor", default="local:1")
    options = parser.parse_args(arguments)
    store = Store(options.logdir)
    try:
        described = Experiments(store).open(options.experiment)
        with turn(store):
            Supervisor(store, described, executor=options.executor).run()
    except RunLocked:
        return OK  # somebody else works on it
    except KeyboardInterrupt:
        return OK
    except (StoreError, ValueError) as error:
        print(error, flush=True)
        return FAILED
    return OK


if __name__ == "__main__":
    sys.exit(main())
