"""What the pages draw, computed once an epoch, remembered, and sent as it is finished."""

import copy
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.experiments import NothingYet
from prunescope.app.feeds import FEEDS
from prunescope.app.figures.theme import THEMES
from prunescope.app.measured import Measured
from prunescope.app.wire import pack, plain
from prunescope.engine.store import Run, Store, StoreError

Row = Mapping[str, Any]

# A computed run stays in memory until these many bytes of others have been asked for since.
KEEP_BYTES = 256 * 2**20
# Rows go out together in this rhythm: often enough to be seen growing, seldom enough to cost little.
FLUSH_SECONDS = 0.06
# With fewer rows than these before it, the row on screen comes in its turn soon enough.
AHEAD_FROM = 3
# PyTorch takes seconds and a core to import; the first figures and a demo's start come first.
WARM_UP_SECONDS = 12.0


class Feed(Protocol):
    """One page's computation: what is shown for each epoch, and how it is drawn."""

    keys: tuple[str, ...]
    # Optional: ``ahead`` — a row can be computed before those between it and the first, on a copy of the memory;
    # ``answers`` — asked about one epoch, each row replaces the one before (``answer`` instead of ``row``);
    # where a row has a true ``partial``, a whole picture of another epoch is kept until it is whole as well;
    # ``redrawn`` — keys of rows elsewhere that change how this feed is drawn;
    # ``measured`` — ``row`` is handed the evaluator as well; ``whole`` — about many runs: only ``keys`` and ``look``,
    # which yields complete answers (figures without holes, texts, lists, ``options`` of the page's own choices), and,
    # where it is measured, is handed what is kept of earlier measurements and the evaluator.

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

    def __init__(
        self, store: Store, evaluator: Evaluator, keep_bytes: int = KEEP_BYTES, kept: Measured | None = None
    ):
        self.store = store
        self.evaluator = evaluator
        self.kept = kept or Measured(store.root)
        self.boot = uuid4().hex[:12]
        self._keep_bytes = keep_bytes
        self._warmed = False
        self._computed: OrderedDict[tuple[Any, ...], Computed] = OrderedDict()
        self._lock = threading.Lock()

    def visited(self) -> None:
        """Somebody looks: get the evaluator ready, but only once the first figures are out of the way."""
        with self._lock:
            if self._warmed:
                return
            self._warmed = True
        timer = threading.Timer(WARM_UP_SECONDS, self.evaluator.warm_up)
        timer.daemon = True
        timer.start()

    def computed(self, feed_name: str, run: Run, view: dict[str, Any]) -> Computed:
        feed = FEEDS[feed_name]
        names = (*feed.keys, "at") if getattr(feed, "answers", False) else feed.keys
        key = (feed_name, run.id, run.created, *(view[name] for name in names))
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
                        (feed_name, run.id, run.created, *(settled[name] for name in names)), found
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
                        # A feed that measures networks is handed the evaluator; all others are pure geometry.
                        more = (self.evaluator,) if getattr(feed, "measured", False) else ()
                        row = feed.row(run, computed.memory, at, float(epochs[at]), *more)
                        computed.size += sum(np.asarray(value).nbytes for value in row.values())
                        computed.epochs.append(float(epochs[at]))
                        computed.rows.append(row)
            yield computed.epochs[index], computed.rows[index]

    def frames(
        self,
        feed_name: str,
        run: Run,
        view: dict[str, Any],
        have: int,
        theme: str,
        *,
        at: float | None = None,
        shown: float = -1,
    ) -> Iterator[bytes]:
        """The whole answer to one request.

        ``shown`` is the epoch on screen, -1 for the newest: where many are missing, it is sent first.
        """
        try:
            if not len(run.epochs):
                # Nothing yet, or nothing that can be read: who waits for the first snapshot must know which.
                yield pack({"error": run.error} if run.error else {"boot": self.boot, "start": 0, "total": 0}, [], [])
                return
            feed = FEEDS[feed_name]
            if at is not None:
                view = view | {"at": at}
            computed = self.computed(feed_name, run, view)
            head: dict[str, Any] = {"boot": self.boot, "start": have, "total": len(run.epochs)}
            head["settled"] = feed.settled(computed.memory)
            if have == 0 or theme:
                head |= feed.templates(run, computed.memory, view, THEMES[theme or "light"])
            yield pack(head, [], [])
            if getattr(feed, "answers", False):
                yield from self._answers(feed, run, view, computed)
            else:
                if getattr(feed, "ahead", False):
                    yield from self._ahead(feed_name, run, computed, shown)
                yield from self._in_rhythm(self.rows(feed_name, run, computed, have))
        except (ValueError, StoreError, OSError) as error:
            yield pack({"error": str(error) or type(error).__name__}, [], [])

    def whole(self, feed_name: str, view: dict[str, Any], theme: str) -> Iterator[bytes]:
        """The answer of a feed that is about many runs: complete figures, each answer in place of the one before."""
        try:
            for answer in self.look(FEEDS[feed_name], view, THEMES[theme or "light"]):
                # Figures are whole here, numbers and all: a gap in them is null, as in rows.
                yield pack({"boot": self.boot, "start": 0, "total": 1} | plain(answer), [], [])
                yield pack({"replace": True}, [0.0], [{"said": ""}])
        except (ValueError, StoreError, OSError) as error:
            told = {"error": str(error) or type(error).__name__}
            yield pack(told | ({"todo": True} if isinstance(error, NothingYet) else {}), [], [])

    def look(self, feed: Any, view: Mapping[str, Any], theme: Any) -> Iterator[dict[str, Any]]:
        """Ever more complete answers of a feed that is about many runs."""
        more = (self.kept, self.evaluator) if getattr(feed, "measured", False) else ()
        yield from feed.look(self.store, view, theme, *more)

    def _ahead(self, feed_name: str, run: Run, computed: Computed, shown: float) -> Iterator[bytes]:
        """The row of the epoch on screen before its turn, so that it need not wait for all those before it."""
        epochs = run.epochs
        last = len(epochs) - 1
        index = last if shown < 0 else max(0, int(np.searchsorted(epochs, shown + 1e-9, side="right")) - 1)
        if index < len(computed.rows) + AHEAD_FROM:
            return
        # Epoch 0 first: figures draw it beside the one on screen, and it settles what all rows share.
        next(self.rows(feed_name, run, computed, 0))
        feed = FEEDS[feed_name]
        more = (self.evaluator,) if getattr(feed, "measured", False) else ()
        with computed.lock:
            memory = copy.copy(computed.memory)
        row = feed.row(run, memory, index, float(epochs[index]), *more)
        yield pack({"ahead": True}, [float(epochs[index])], [row])

    @staticmethod
    def _in_rhythm(rows: Iterator[tuple[float, Row]]) -> Iterator[bytes]:
        waiting: list[tuple[float, Row]] = []
        # The first row leaves at once.
        sent = time.monotonic() - FLUSH_SECONDS
        for item in rows:
            waiting.append(item)
            if time.monotonic() - sent > FLUSH_SECONDS:
                yield pack({}, [epoch for epoch, _ in waiting], [row for _, row in waiting])
                waiting, sent = [], time.monotonic()
        if waiting:
            yield pack({}, [epoch for epoch, _ in waiting], [row for _, row in waiting])

    def _answers(self, feed: Any, run: Run, view: dict[str, Any], computed: Computed) -> Iterator[bytes]:
        """Each answer takes the place of the one before; the last one is remembered."""
        epoch = float(view["at"])
        if not computed.rows:
            row, sent = None, 0.0
            for row in feed.answer(run, computed.memory, view, epoch, self.evaluator):
                if time.monotonic() - sent > FLUSH_SECONDS:
                    yield pack({"replace": True}, [epoch], [row])
                    sent = time.monotonic()
            if row is None:
                return
            computed.rows, computed.epochs = [row], [epoch]
            computed.size = sum(np.asarray(value).nbytes for value in row.values())
        yield pack({"replace": True}, [epoch], computed.rows)
