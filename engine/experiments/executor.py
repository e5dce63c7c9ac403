"""Where runs are computed: one small interface, `concurrent.futures.Executor`, behind a URL.

    local        one process for each core
    local:2      two processes on this machine

Workers live long: importing torch costs seconds, a small run a fraction of one. Nothing else in the
code knows which executor it has, and none of them is trusted to remember anything: the run table is
the truth (`table`).
"""

import multiprocessing
import os
import re
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress

# The pages have to stay responsive on two cores while a queue runs.
NICENESS = 5
_LOCAL = re.compile(r"local(?::(\d{1,3}))?")


class LocalExecutor(ProcessPoolExecutor):
    """A pool of processes that end with this one, however it ends."""

    def __init__(self, width: int) -> None:
        # Never a fork: forking after torch has been imported can hang.
        super().__init__(width, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker)

    def kill(self) -> None:
        """End the workers at once; what they had not checkpointed is computed again."""
        for process in list((self._processes or {}).values()):
            process.kill()
        self.shutdown(wait=True, cancel_futures=True)


def open_executor(url: str) -> Executor:
    """The executor that a URL names.

    Raises
    ------
    ValueError
        For anything but ``local`` and ``local:N``, saying so.
    """
    return LocalExecutor(executor_width(url))


def executor_width(url: str) -> int:
    """How many runs the executor computes at once.

    Raises
    ------
    ValueError
        As `open_executor`.
    """
    match = _LOCAL.fullmatch(url)
    if match is None:
        raise ValueError(
            f"executor {url!r} is not supported: this version runs 'local:N', N processes on this machine, e.g. "
            f"local:{os.cpu_count() or 2}."
        )
    width = int(match[1]) if match[1] else os.cpu_count() or 1
    if width < 1:
        raise ValueError(f"executor {url!r} has no process: give at least local:1.")
    return width


def _begin_worker() -> None:
    """Prepare a worker: end with the parent, leave Ctrl-C to it, be polite, one thread."""
    # Ctrl-C reaches the whole process group; the supervisor stops the runs in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(NICENESS)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    threading.Thread(target=_end_with_parent, name="watch the parent", daemon=True).start()


def _end_with_parent() -> None:
    # Without this an orphan goes on for half a minute and more after kill -9 of the supervisor.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
