"""The process that trains one run: ``python -m prunescope.engine.worker --logdir L --run ID``.

It takes the run's lock before it imports torch, so that the run shows as running at
once and a second worker for the same run costs nothing.
"""

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence

from prunescope.engine.config import ConfigError, RunConfig
from prunescope.engine.store import RunLocked, Store, StoreError
from prunescope.engine.training.control import begin_control, ended_by

OK, FAILED, UNUSABLE = 0, 1, 2
# The pages have to stay responsive on two cores while a training takes all it can get.
NICENESS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the run that the arguments name; returns the exit code.

    0: the run is done, stopped, or in the hands of another worker; 1: the training
    failed, and the run says why; 2: there is no such run, or it cannot be used.
    """
    options = _parser().parse_args(arguments)
    os.nice(options.nice)
    say(f"worker {os.getpid()} for {options.run}")
    try:
        with ended_by(signal.SIGINT, signal.SIGTERM) as ending:
            if options.tied:
                end_with_parent(ending)
            return _train(Store(options.logdir), options.run, ending, trusted=options.trusted)
    except RunLocked as error:
        say(str(error))
        return OK
    except (StoreError, ConfigError) as error:
        say(str(error))
        return UNUSABLE


def _train(store: Store, run_id: str, ending: threading.Event, *, trusted: bool) -> int:
    run = store.run(run_id)
    config = RunConfig.from_dict(run.config, trusted=trusted)
    with store.writer(run_id, durable=config.durable) as writer:
        if run.head.state == "done":
            say("done already")
            return OK
        control = begin_control(run, writer, ending)
        writer.set_state("running", "starting")
        # Only now: this import takes seconds.
        from prunescope.engine.training.session import work

        try:
            work(writer, config, control, on_epoch=report)
        except BaseException:
            traceback.print_exc()
            return FAILED
    say(store.run(run_id).status)
    return OK


def report(epoch: float, metrics: dict[str, float]) -> None:
    """One line of the log for one epoch."""
    say(f"epoch {epoch:g}  " + "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))


def say(text: str) -> None:
    """A line of the log with its time, out at once: a killed process keeps it."""
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def end_with_parent(ending: threading.Event) -> None:
    """Set `ending` when stdin closes, which the death of its other end does, however it died.

    Not PDEATHSIG: that signal comes when the *thread* that started us ends.
    """

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        ending.set()

    threading.Thread(target=watch, name="watch the parent", daemon=True).start()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m prunescope.engine.worker", description=__doc__)
    parser.add_argument("--logdir", required=True, help="the folder of the runs")
    parser.add_argument("--run", required=True, help="the run's id; it exists already")
    parser.add_argument("--trusted", action="store_true", help="module:callable settings may be imported")
    parser.add_argument("--tied", action="store_true", help="end when stdin closes")
    parser.add_argument("--nice", type=int, default=NICENESS, help="politeness towards other processes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
