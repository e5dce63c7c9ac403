"""What others want of a running training: pause, resume, stop."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from prunescope.engine.store import Run, RunWriter

# Between two looks into the control folder; a look costs some 10 µs, a step 100 µs and more.
LOOK_SECONDS = 0.1


class Control:
    """The wish that holds now, looked up between batches.

    Parameters
    ----------
    requests : returns the control requests that came in since the last call, in order
    ending : set by a signal handler or a watcher: the process shall end

    Attributes
    ----------
    wish : "run", "pause" or "stop"
    """

    def __init__(self, requests: Callable[[], Sequence[str]], ending: threading.Event | None = None) -> None:
        self.wish = "run"
        self._requests = requests
        self._ending = ending or threading.Event()
        self._next_look = 0.0

    def due(self) -> bool:
        """Whether it is time to look again; cheap enough for every batch."""
        return self._ending.is_set() or time.monotonic() >= self._next_look

    def look(self) -> str:
        """Read what has come in; returns the wish that holds now."""
        self._next_look = time.monotonic() + LOOK_SECONDS
        for request in self._requests():
            if request in ("pause", "stop"):
                self.wish = request
            elif request == "resume":
                self.wish = "run"
        if self._ending.is_set():
            self.wish = "stop"
        return self.wish

    def rest(self, seconds: float) -> str:
        """Sleep for `seconds`, or until somebody wants something else than to run."""
        until = time.monotonic() + seconds
        while self.look() == "run" and (left := until - time.monotonic()) > 0:
            self._ending.wait(min(left, LOOK_SECONDS))
        return self.wish

    def sit_out(self) -> str:
        """Wait while "pause" holds."""
        while self.look() == "pause":
            self._ending.wait(LOOK_SECONDS)
        return self.wish


def begin_control(run: Run, writer: RunWriter, ending: threading.Event) -> Control:
    """The control of a run that begins or is taken up again.

    What was asked of an earlier process is void: a "stop" that it never read would
    otherwise end the resumed run at once.
    """
    if run.head.state != "queued":
        writer.requests()
    return Control(writer.requests, ending)


@contextmanager
def ended_by(*numbers: signal.Signals) -> Iterator[threading.Event]:
    """Turn signals into an event, so that training ends between two batches and not inside one.

    A second signal of the same kind does what it did before: whoever presses Ctrl-C
    twice means it. Outside the main thread, where Python allows no handlers, the
    event is never set.
    """
    ending = threading.Event()
    previous: dict[int, object] = {}

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, previous[number])  # type: ignore[arg-type]
        ending.set()

    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            previous[number] = signal.getsignal(number) or signal.SIG_DFL
            signal.signal(number, end)
    try:
        yield ending
    finally:
        for changed, handler in previous.items():
            signal.signal(changed, handler)  # type: ignore[arg-type]
