"""Tell open pages what is new: one watcher for all, an event stream for each page, a poll to fall back on.

Only the cursor travels here (which run, which version, which epoch); pages pull the arrays they lack.
The watcher reads nothing while nobody listens.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response, jsonify, request
from prunescope.app.describe import describe
from prunescope.app.experiments import stamps
from prunescope.app.guard import problem
from prunescope.engine.store import Run, Store

ACTIVE_SECONDS = 0.03
"""Between two looks at a run that trains. A look is one read of a small record (microseconds)."""
IDLE_SECONDS = 0.5
"""Between two looks at all other runs, and for new ones."""
KEEP_ALIVE_SECONDS = 10.0
"""A comment in a silent stream, so that nothing between here and the page thinks it dead."""
GONE_SECONDS = 1.0
"""Between two checks whether the page behind a silent stream is still there."""
RETRY_MILLISECONDS = 500
MAX_STREAMS = 32
"""A stream holds a thread of the server. The tabs of one browser share one."""

ACTIVE = frozenset({"queued", "running", "paused", "not responding"})

log = logging.getLogger(__name__)


class Live:
    """What is known of all runs, and who waits for more.

    `seq` counts changes; each run remembers the count of its last one, so a listener that knows
    `seq` gets exactly what it lacks, however long it was away.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        # Pages keep what they hold only as long as they talk to the same launch of the server.
        self.boot = secrets.token_hex(8)
        self.stopping = False
        self._changed = threading.Condition()
        self._scanning = threading.Lock()
        self._seq = 0
        self._states: dict[str, tuple[int, dict[str, Any]]] = {}
        self._gone: dict[str, int] = {}
        self._experiments: tuple[int, dict[str, str]] = (0, {})
        self._runs: dict[str, Run] = {}
        self._next_list = 0.0
        self._last_scan = 0.0
        self._listeners = 0
        self._watcher: threading.Thread | None = None

    def scan(self) -> None:
        """Look once: at active runs always, at the rest and for new folders when their time has come."""
        with self._scanning:
            now = time.monotonic()
            everything = now >= self._next_list
            if everything:
                self._runs = {run.id: run for run in self.store.runs()}
                self._next_list = time.monotonic() + IDLE_SECONDS
            found = {
                run_id: describe(run) for run_id, run in self._runs.items() if everything or self._is_active(run_id)
            }
            self._last_scan = now
            if everything:
                self._publish_experiments(stamps(self.store))
            self._publish(found, set(self._states) - set(self._runs) if everything else set())

    def since(self, seq: int) -> tuple[int, dict[str, dict[str, Any]], list[str]]:
        """Return (the count now, runs changed after `seq`, runs gone after `seq`)."""
        with self._changed:
            runs = {run_id: state for run_id, (at, state) in self._states.items() if at > seq}
            return self._seq, runs, [run_id for run_id, at in self._gone.items() if at > seq]

    def experiments(self, seq: int = -1) -> dict[str, str] | None:
        """Return experiment id → stamp of its queue; None if nothing of it has changed after `seq`."""
        with self._changed:
            at, known = self._experiments
            return known if at > seq else None

    def fresh(self) -> None:
        """Scan unless the watcher has just done so."""
        if time.monotonic() - self._last_scan > ACTIVE_SECONDS:
            self.scan()

    def listen(self, gone: Callable[[], bool]) -> Iterator[str]:
        """Yield the event stream of one page until it is gone or the server stops."""
        self.scan()
        seq, runs, _ = self.since(0)
        # A page that loses this server asks again so often; browsers would wait three seconds.
        told = {"boot": self.boot, "version": seq, "runs": runs, "experiments": self.experiments()}
        yield f"retry: {RETRY_MILLISECONDS}\n{_event(told, 'hello')}"
        spoke = time.monotonic()
        while not (self.stopping or gone()):
            self._wait(seq)
            before = seq
            seq, runs, gone_runs = self.since(seq)
            # May be told twice if it changes between the two looks; pages only compare the stamps.
            experiments = self.experiments(before)
            if experiments is not None:
                yield _event({"experiments": experiments}, "experiments")
            for run_id, state in runs.items():
                yield _event({"run": run_id, **state})
            for run_id in gone_runs:
                yield _event({"run": run_id, "status": "gone"})
            now = time.monotonic()
            if runs or gone_runs or experiments is not None:
                spoke = now
            elif now - spoke >= KEEP_ALIVE_SECONDS:
                yield ":\n\n"
                spoke = now

    def stop(self) -> None:
        """End every stream; called once, when the server goes down."""
        with self._changed:
            self.stopping = True
            self._changed.notify_all()

    def look_now(self) -> None:
        """See a new, deleted or renamed run at once, because this server has just changed it."""
        self._next_list = 0.0
        self.scan()

    def join(self) -> bool:
        """Take a place among the listeners; False if all are taken."""
        with self._changed:
            if self._listeners >= MAX_STREAMS:
                return False
            self._listeners += 1
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="prunescope-live", daemon=True)
                self._watcher.start()
            self._changed.notify_all()
            return True

    def leave(self) -> None:
        with self._changed:
            self._listeners -= 1

    def _wait(self, seq: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._seq > seq or self.stopping, GONE_SECONDS)

    def _watch(self) -> None:
        while not self.stopping:
            with self._changed:
                self._changed.wait_for(lambda: self._listeners > 0 or self.stopping)
            try:
                self.scan()
            except Exception:
                # A folder that cannot be read today must not end the live view for the rest of the launch.
                log.exception("looking for new snapshots failed")
                time.sleep(IDLE_SECONDS)
            time.sleep(ACTIVE_SECONDS)

    def _is_active(self, run_id: str) -> bool:
        return run_id in self._states and self._states[run_id][1]["status"] in ACTIVE

    def _publish_experiments(self, found: dict[str, str]) -> None:
        with self._changed:
            if found != self._experiments[1]:
                self._seq += 1
                self._experiments = (self._seq, found)
                self._changed.notify_all()

    def _publish(self, found: dict[str, dict[str, Any]], gone: set[str]) -> None:
        with self._changed:
            before = self._seq
            for run_id, state in found.items():
                if run_id not in self._states or self._states[run_id][1] != state:
                    self._seq += 1
                    self._states[run_id] = (self._seq, state)
                    self._gone.pop(run_id, None)
            for run_id in gone:
                self._seq += 1
                del self._states[run_id]
                self._gone[run_id] = self._seq
            if self._seq > before:
                self._changed.notify_all()


def register(server: Flask, store: Store) -> Live:
    """Add `/live` and `/api/poll`; return the hub, which the server stops when it ends."""
    live = Live(store)

    @server.get("/live")
    def live_stream() -> Response:
        if not live.join():
            return problem(
                503, "Too many pages listen at once.", MAX_STREAMS, "Close some tabs; this one goes on by polling."
            )
        # waitress tells when the page has closed its end; other servers find out at the next keep-alive.
        gone = request.environ.get("waitress.client_disconnected", lambda: False)
        response = Response(live.listen(gone), mimetype="text/event-stream")
        # On close, not at the generator's end: a stream whose page left at once never starts.
        response.call_on_close(live.leave)
        response.headers["X-Accel-Buffering"] = "no"
        return response

    @server.get("/api/poll")
    def poll() -> Response:
        live.fresh()
        version, runs, _ = live.since(0)
        if request.args.get("boot") == live.boot and request.args.get("version") == str(version):
            return Response(status=204)
        return jsonify(boot=live.boot, version=version, runs=runs, experiments=live.experiments())

    return live


def _event(data: dict[str, Any], name: str = "") -> str:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n"
