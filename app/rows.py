"""What the pages draw, computed once an epoch and sent as it is finished.

``GET /api/rows?feed=…&run=…&have=N&boot=…`` answers with frames: a JSON header and raw little-endian
arrays behind it. ``have`` is the number of rows that the page holds, so an update carries the new
epochs only, a gap repairs itself, and a page that comes back asks for all it missed in one request.
"""

import json
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from flask import Blueprint, Response, request, stream_with_context
from prunescope.app.feeds import FEEDS
from prunescope.app.figures.theme import THEMES
from prunescope.app.guard import problem
from prunescope.app.state import read_view
from prunescope.engine.store import Run, Store, StoreError

Row = Mapping[str, Any]

# A computed run stays in memory until these many bytes of others have been asked for since.
KEEP_BYTES = 256 * 2**20
# Rows go out together in this rhythm: often enough to be seen growing, seldom enough to cost little.
FLUSH_SECONDS = 0.06


class Feed(Protocol):
    """One page's computation: what is shown for each epoch, and how it is drawn."""

    keys: tuple[str, ...]

    def begin(self, run: Run, view: dict[str, Any]) -> Any:
        """Whatever the rows share (a null, a basis). Raises ValueError with a sentence for the page."""

    def row(self, run: Run, memory: Any, index: int, epoch: float) -> Row:
        """The values of one epoch; called in order of epochs."""

    def templates(self, run: Run, memory: Any, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        """Figure id → template; id → text for the page, under ``texts``."""

    def settled(self, memory: Any) -> dict[str, Any]:
        """View keys that the computation had to choose, for the link to carry."""


@dataclass
class Computed:
    """The rows of one feed for one run and one set of settings; grows, never changes."""

    memory: Any
    epochs: list[float] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    size: int = 0


class RowServer:
    """Computes rows on demand and remembers them; safe from many threads."""

    def __init__(self, store: Store, keep_bytes: int = KEEP_BYTES):
        self.store = store
        self.boot = uuid4().hex[:12]
        self._keep_bytes = keep_bytes
        self._computed: OrderedDict[tuple[Any, ...], Computed] = OrderedDict()
        self._lock = threading.Lock()

    def computed(self, feed_name: str, run: Run, view: dict[str, Any]) -> Computed:
        feed = FEEDS[feed_name]
        key = (feed_name, run.id, run.created, *(view[name] for name in feed.keys))
        with self._lock:
            found = self._computed.get(key)
            if found is None:
                found = self._computed[key] = Computed(memory=None)
            self._computed.move_to_end(key)
            self._forget()
        with found.lock:
            if found.memory is None:
                try:
                    found.memory = feed.begin(run, view)
                except BaseException:
                    with self._lock:
                        self._computed.pop(key, None)
                    raise
                # What the feed chose for a key left open (the first layer) is filed under the choice as well.
                settled = view | feed.settled(found.memory)
                with self._lock:
                    self._computed.setdefault(
                        (feed_name, run.id, run.created, *(settled[n] for n in feed.keys)), found
                    )
        return found

    def _forget(self) -> None:
        held = {id(item): item.size for item in self._computed.values()}
        while sum(held.values()) > self._keep_bytes and len(self._computed) > 1:
            _, oldest = self._computed.popitem(last=False)
            held.pop(id(oldest), None)

    def rows(self, feed_name: str, run: Run, computed: Computed, start: int) -> Iterator[tuple[float, Row]]:
        """Rows from ``start`` on: remembered ones at once, missing ones as they are computed."""
        feed = FEEDS[feed_name]
        epochs = run.epochs
        for index in range(start, len(epochs)):
            if index >= len(computed.rows):
                with computed.lock:
                    # Another request may have computed it while this one waited.
                    while index >= len(computed.rows):
                        at = len(computed.rows)
                        row = feed.row(run, computed.memory, at, float(epochs[at]))
                        computed.size += sum(np.asarray(value).nbytes for value in row.values())
                        computed.epochs.append(float(epochs[at]))
                        computed.rows.append(row)
            yield computed.epochs[index], computed.rows[index]

    def frames(
        self, feed_name: str, run: Run, view: dict[str, Any], have: int, theme: str
    ) -> Iterator[bytes]:
        """The whole answer to one request."""
        try:
            if not len(run.epochs):
                # Nothing yet, or nothing that can be read: who waits for the first snapshot must know which.
                yield pack({"error": run.error} if run.error else {"boot": self.boot, "start": 0, "total": 0}, [], [])
                return
            computed = self.computed(feed_name, run, view)
            feed = FEEDS[feed_name]
            head: dict[str, Any] = {"boot": self.boot, "start": have, "total": len(run.epochs)}
            head["settled"] = feed.settled(computed.memory)
            if have == 0 or theme:
                head |= feed.templates(run, computed.memory, view, THEMES[theme or "light"])
            yield pack(head, [], [])
            epochs: list[float] = []
            rows: list[Row] = []
            sent = time.monotonic()
            for epoch, row in self.rows(feed_name, run, computed, have):
                epochs.append(epoch)
                rows.append(row)
                if time.monotonic() - sent > FLUSH_SECONDS:
                    yield pack({}, epochs, rows)
                    epochs, rows = [], []
                    sent = time.monotonic()
            if rows:
                yield pack({}, epochs, rows)
        except (ValueError, StoreError, OSError) as error:
            yield pack({"error": str(error) or type(error).__name__}, [], [])


def pack(head: dict[str, Any], epochs: list[float], rows: list[Row]) -> bytes:
    """One frame: length, JSON header, then the arrays that it lists, each aligned to four bytes."""
    head = dict(head)
    payload: list[bytes] = []
    if rows:
        head["epochs"] = epochs
        head["arrays"], head["plain"] = {}, {}
        for name, first in rows[0].items():
            if isinstance(first, np.ndarray):
                stack = np.stack([row[name] for row in rows])
                stack = stack.astype("<i4" if stack.dtype.kind in "iub" else "<f4")
                head["arrays"][name] = {"dtype": stack.dtype.str, "shape": stack.shape}
                payload.append(stack.tobytes())
            else:
                head["plain"][name] = [_finite(row[name]) for row in rows]
    text = json.dumps(head, allow_nan=False, separators=(",", ":"), default=_plain).encode()
    text += b" " * (-len(text) % 4)
    body = b"".join(payload)
    return struct.pack("<II", len(text), len(body)) + text + body


def _finite(value: Any) -> Any:
    """JSON has no nan; the page draws null as a gap."""
    return None if isinstance(value, float | np.floating) and not np.isfinite(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_finite(item) for item in value.tolist()] if value.ndim == 1 else value.tolist()
    if isinstance(value, np.generic):
        return _finite(value.item())
    raise TypeError(f"{type(value).__name__} cannot be sent to a page")


def register(server: Any, store: Store) -> RowServer:
    """Answer ``/api/rows`` on a Flask app."""
    row_server = RowServer(store)
    routes = Blueprint("rows", __name__)

    @routes.get("/api/rows")
    def rows() -> Any:
        feed_name = request.args.get("feed", "")
        if feed_name not in FEEDS:
            return problem(404, "This feed is unknown.", feed_name[:40], f"Use one of {', '.join(FEEDS)}.")
        view = read_view(request.args)
        try:
            run = store.run(view["run"])
        except StoreError as error:
            return problem(404, str(error), view["run"])
        theme = request.args.get("theme_now", "")
        if theme not in ("", *THEMES):
            return problem(400, "This theme is unknown.", theme[:40], f"Use one of {', '.join(THEMES)}.")
        try:
            have = max(0, int(request.args.get("have", "0")))
        except ValueError:
            return problem(
                400, "have is not a whole number.", None, "Send the number of rows that the page holds."
            )
        # Rows counted under another server may have been other rows: begin again.
        if request.args.get("boot") != row_server.boot:
            have = 0
        frames = row_server.frames(feed_name, run, view, have, theme)
        return Response(stream_with_context(frames), mimetype="application/octet-stream")

    server.register_blueprint(routes)
    return row_server
