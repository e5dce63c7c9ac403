"""The rows behind one figure, as the browser holds them, and the figure filled from them."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from prunescope.app.exporting.catalog import Entry
from prunescope.app.feeds import FEEDS
from prunescope.app.figures.template import Rows, fill
from prunescope.app.figures.theme import LIGHT, Theme
from prunescope.app.rows import RowServer
from prunescope.app.state import BY_NAME, KEYS
from prunescope.engine.store import Run


class ExportError(ValueError):
    """What cannot be exported, as a sentence: what, which value, what to do."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One figure of one run at one epoch, its holes filled.

    ``data`` and ``layout`` are plain JSON: numbers as the browser has them (32 bits), gaps as None. ``runs`` are
    those behind a figure of many, of which ``run`` is then the first; ``settings`` names the view keys that it hangs on.
    """

    run: Run
    runs: tuple[Run, ...] = ()
    entry: Entry
    settings: tuple[str, ...]
    view: dict[str, Any]
    epoch: float
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    finding: str
    note: str


def cursor_of(epochs: np.ndarray, view: Mapping[str, Any]) -> int:
    """Index of the snapshot that a view shows: the last one not later than its epoch, as on screen."""
    if view["follow"] or view["epoch"] < 0:
        return len(epochs) - 1
    return max(0, int(np.searchsorted(epochs, view["epoch"] + 1e-9, side="right")) - 1)


def collect(rows: RowServer, run: Run, view: Mapping[str, Any], entry: Entry, theme: Theme = LIGHT) -> Picture:
    """Compute what the figure shows in this view; what a page has asked for before is at hand.

    Raises
    ------
    ExportError
        If the run has no snapshot yet, or does not have this figure in this view.
    """
    epochs = run.epochs
    if not len(epochs):
        raise ExportError(f"{run.name}: nothing is recorded yet. Export when the first snapshot is there.")
    cursor = cursor_of(epochs, view)
    for name in entry.feeds:
        feed = FEEDS[name]
        if getattr(feed, "whole", False):
            return _of_many(rows, run, view, entry, feed, theme)
        answers = getattr(feed, "answers", False)
        asked = dict(view) | ({"at": float(epochs[cursor])} if answers else {})
        computed = rows.computed(name, run, asked)
        # A slider keeps where it was set; all else is as the feed chose it.
        chosen = feed.settled(computed.memory).items()
        settled = asked | {
            key: value for key, value in chosen if BY_NAME[key].reach != "local" or asked[key] == BY_NAME[key].default
        }
        drawn = feed.templates(run, computed.memory, settled, theme)
        template = drawn["figures"].get(entry.figure)
        if template is None:
            continue
        held = Rows()
        if answers:
            held.append(float(epochs[cursor]), _as_sent(_answer(rows, feed, run, computed, settled)))
            at = 0
        else:
            until = len(epochs) if _looks_ahead(template) else cursor + 1
            for epoch, row in islice(rows.rows(name, run, computed, 0), until):
                held.append(epoch, _as_sent(row))
            at = cursor
        local = settled | {"sel": _listed(settled["sel"])} | _shares(settled["mix"])
        filled = plain(fill({"data": template["data"], "layout": template["layout"]}, held, at, local))
        return Picture(
            run=run,
            entry=entry,
            settings=settings_of(name),
            view={key: settled[key] for key in view} | {"epoch": float(epochs[cursor]), "follow": False},
            epoch=float(epochs[cursor]),
            data=filled["data"],
            layout=filled["layout"],
            finding=_said(drawn["texts"], "-finding", held, at, local),
            note=entry.note or _said(drawn["texts"], entry.note_text, held, at, local),
        )
    raise ExportError(f"{entry.figure}: {run.name} does not have this figure in this view.")


def _of_many(rows: RowServer, run: Run, view: Mapping[str, Any], entry: Entry, feed: Any, theme: Theme) -> Picture:
    """A figure about many runs; ``run`` is the one chosen beside it, which may have no part in it."""
    # The last answer is the complete one.
    *_, answer = rows.look(feed, view, theme)
    drawn = answer["figures"].get(entry.figure)
    if drawn is None or not drawn["data"]:
        raise ExportError(f"{entry.figure}: nothing is drawn yet. Export when the first runs have finished.")
    filled, texts = plain(drawn), answer["texts"]
    runs = tuple(rows.store.run(name) for name in answer["runs"])
    return Picture(
        run=runs[0] if runs else run,
        runs=runs,
        entry=entry,
        settings=settings_of(entry.page),
        view={key: (dict(view) | answer["settled"])[key] for key in view},
        epoch=float(max((one.epochs[-1] for one in runs or (run,) if len(one.epochs)), default=0.0)),
        data=filled["data"],
        layout=filled["layout"],
        finding=next((text for name, text in texts.items() if name.endswith("-finding")), ""),
        note=entry.note or texts.get(entry.note_text, ""),
    )


def settings_of(feed: str) -> tuple[str, ...]:
    """The view keys that what a feed draws hangs on, the run and its layer aside."""
    asked = FEEDS[feed].keys
    return tuple(
        key.name
        for key in KEYS
        if key.name not in ("run", "layer") and (key.name in asked or (key.reach != "rows" and feed in key.pages))
    )


def plain(node: Any) -> Any:
    """The same as JSON can hold it; a number of 32 bits becomes the shortest text that means it."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(item) for item in node]
    if isinstance(node, np.ndarray):
        return _numbers_of(node)
    if isinstance(node, np.generic):
        node = node.item()
    if isinstance(node, float) and not np.isfinite(node):
        return None
    return node


def _numbers_of(array: np.ndarray) -> list[Any]:
    """Nested lists; what 32 bits hold is written with as many digits as they mean, not as 64 bits would."""
    if array.ndim > 1:
        return [_numbers_of(row) for row in array]
    if array.dtype.kind != "f":
        return array.tolist()
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    short = np.isfinite(array) & (single == array)
    return [
        (float(str(low)) if is_short else high) if np.isfinite(high) else None
        for low, high, is_short in zip(single, array.tolist(), short, strict=True)
    ]


def _as_sent(row: Mapping[str, Any]) -> dict[str, Any]:
    """Rounded as on the way to a page, so that a file holds the very numbers that were on screen."""
    sent: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, np.ndarray):
            value = value.astype(np.int32 if value.dtype.kind in "iub" else np.float32)
        sent[name] = value
    return sent


def _answer(rows: RowServer, feed: Any, run: Run, computed: Any, view: dict[str, Any]) -> Mapping[str, Any]:
    """The last and best answer of a feed that refines one."""
    with computed.lock:
        if not computed.rows:
            refined = deque(feed.answer(run, computed.memory, view, view["at"], rows.evaluator), maxlen=1)
            if not refined:
                raise ExportError(f"{run.name}: the evaluator gave no answer for epoch {view['at']:g}. Ask again.")
            computed.rows, computed.epochs = list(refined), [view["at"]]
            computed.size = sum(np.asarray(value).nbytes for value in refined[0].values())
    return computed.rows[0]


def _looks_ahead(node: Any) -> bool:
    """Whether a template draws epochs later than the one shown."""
    if isinstance(node, Mapping):
        return node.get("at") == "all" or any(_looks_ahead(value) for value in node.values())
    return isinstance(node, list | tuple) and any(_looks_ahead(item) for item in node)


def _shares(text: str) -> dict[str, float]:
    """Each layer's own slider, as the page's own holes name it."""
    return {f"mix:{layer}": float(share) for layer, _, share in (part.rpartition(":") for part in text.split(",")) if layer}


def _listed(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip().isdigit()]


def _said(texts: Mapping[str, Any], ending: str, rows: Rows, at: int, local: Mapping[str, Any]) -> str:
    hole = next((hole for name, hole in texts.items() if ending and name.endswith(ending)), None)
    return "" if hole is None else str(fill(hole, rows, at, local) or "")
