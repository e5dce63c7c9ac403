"""Work on an experiment in a process of its own: ``python -m prunescope.engine.experiments.head``.

Started from the browser it outlives the dashboard, and waits for its turn (`turns`). Imports no torch.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from prunescope.engine.experiments.executor import executor_width
from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.experiments.reach import check_data_within_reach
from prunescope.engine.experiments.specs import Experiment
from prunescope.engine.experiments.supervisor import Supervisor, ready
from prunescope.engine.experiments.turns import take_place, turn
from prunescope.engine.store import RunLocked, Store, StoreError

OK, FAILED = 0, 1
LOG = "head.log"
# How long a process may take from its last look at the table to its end.
_ENDING_SECONDS, _LOOK_SECONDS = 15.0, 0.2


def launch_experiment(store: Store, experiment: Experiment, *, executor: str = "local:1", command: str = "") -> str:
    """Put an experiment on the disk and let a process of its own work on it; returns its id at once.

    One process by default: on two cores the pages stay responsive beside it.

    Raises
    ------
    ValueError
        For an executor that is not supported, or data that are out of reach; nothing is made then.
    """
    executor_width(executor)
    check_data_within_reach(experiment)
    described = Experiments(store).create(experiment, command=command)
    ensure_head(store, described, executor=executor)
    return described.id


def ensure_head(store: Store, described: Described, *, executor: str = "local:1") -> None:
    """Start a process for an experiment unless one works on it; a second one would end by itself."""
    place = _free_place(described)
    if place is not None:
        _start(store, described, executor, place)
        return
    # A process that has seen nothing left to do takes a moment to end, and does not look again.
    threading.Thread(
        target=_follow, args=(store, described, executor), name=f"follow {described.id}", daemon=True
    ).start()


def _free_place(described: Described) -> int | None:
    return None if described.is_working else take_place(described.path)


def _follow(store: Store, described: Described, executor: str) -> None:
    """Start a process after all if the one at work ends without having begun what is left."""
    until = time.monotonic() + _ENDING_SECONDS
    while time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        place = _free_place(described)
        if place is None:
            continue
        with described.table() as table:
            left = not table.paused and bool(ready(table.rows(), set(), 1))
        if left:
            _start(store, described, executor, place)
        else:
            os.close(place)
        return


def _start(store: Store, described: Described, executor: str, place: int) -> None:
    command = [
        sys.executable, "-P", "-m", __name__, "--logdir", str(store.root.absolute()), "--experiment", described.id,
        "--executor", executor,
    ]  # fmt: skip
    try:
        with (described.path / LOG).open("ab") as log:
            # The child inherits the place: from now on nobody starts a second one.
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, and an id that was looked up
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                pass_fds=[place],
            )  # fmt: skip
    finally:
        os.close(place)
    # Collects the exit status, or the dead process would stay in the process table.
    threading.Thread(target=process.wait, name=f"wait for {described.id}", daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until nothing is left to do; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__)
    parser.add_argument("--logdir", required=True, type=Path)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--executor", default="local:1")
    options = parser.parse_args(arguments)
    store = Store(options.logdir)
    try:
        _work(store, Experiments(store).open(options.experiment), options.executor)
    except RunLocked:
        return OK  # somebody else works on it
    except KeyboardInterrupt:
        return OK
    except (StoreError, ValueError) as error:
        print(error, flush=True)
        return FAILED
    return OK


def _work(store: Store, described: Described, executor: str) -> None:
    place = take_place(described.path)  # None where the starter has handed it on
    try:
        with turn(described.path):
            Supervisor(store, described, executor=executor).run()
    finally:
        if place is not None:
            os.close(place)


if __name__ == "__main__":
    sys.exit(main())
