"""Experiments as the pages see them: which there are, what of them has changed, how their queues are steered.

Imports no torch: reading goes through the engine's read model, and computing happens in a process of its own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from prunescope.app.wire import plain
from prunescope.engine.config import RunConfig
from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.experiments.head import LOG, ensure_head
from prunescope.engine.experiments.summary import Summary, summarise
from prunescope.engine.experiments.table import FILE, Table
from prunescope.engine.experiments.turns import has_place
from prunescope.engine.store import Store, StoreError
from prunescope.engine.store.locks import is_locked

# What can be asked of one run of the queue, and of the queue as a whole.
ONE = {"pause": Table.pause, "resume": Table.resume, "cancel": Table.cancel, "retry": Table.retry, "first": Table.first}
ALL: dict[str, Callable[[Table], None]] = {
    "pause": lambda table: table.pause_all(True),
    "resume": lambda table: table.pause_all(False),
    "cancel": Table.cancel_all,
    "retry": Table.retry_all,
}


class NothingYet(ValueError):
    """There is nothing to show yet, which is no failure: its first sentence says what is missing, the rest what to do."""


def stamps(store: Store) -> dict[str, str]:
    """Experiment id → a text that moves on whenever its queue does; a few file dates, no database is opened."""
    found = {}
    for name in Experiments(store).ids():
        folder = Experiments(store).root / name
        marks = []
        # The newest changes stand in the journal beside the table until they are folded into it.
        for path in (folder / FILE, folder / f"{FILE}-wal"):
            try:
                told = path.stat()
            except OSError:
                continue
            if told.st_size:  # an empty journal comes and goes with every reader
                marks.append(f"{told.st_mtime_ns}:{told.st_size}")
        found[name] = "/".join([*marks, str(int(is_locked(folder))), str(int(has_place(folder)))])
    return found


def listed(store: Store, kinds: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(id, title) of every experiment that can be read, newest first; of some kinds only, where any are given."""
    return [(name, title) for name, title, kind in _known(store) if not kinds or kind in kinds]


def _known(store: Store) -> list[tuple[str, str, str]]:
    """(id, title, kind), newest first. Where one title is there twice, the id's end tells them apart."""
    experiments = Experiments(store)
    found = []
    for name in experiments.ids():
        try:
            written = (experiments.root / name / "experiment.json").stat().st_mtime
            found.append((name, *_told(store.root, name, written)))
        except (StoreError, OSError):
            continue
    titles = [title for _, title, _ in found]
    return [
        (name, f"{title} ({name.rpartition('-')[2]})" if titles.count(title) > 1 else title, kind)
        for name, title, kind in found
    ]


@lru_cache(maxsize=512)
def _told(root: Path, name: str, written: float) -> tuple[str, str]:
    """Title and kind; ``written`` is there to forget them when the file behind them is another one."""
    experiment = Experiments(Store(root)).open(name).experiment
    return experiment.title or name, experiment.kind


def of_run(store: Store, run_id: str, kinds: Sequence[str] = ()) -> str:
    """The experiment that a run belongs to, if it is of these kinds; else ""."""
    return next((name for name, _ in listed(store, kinds) if run_id.startswith(name + ".")), "")


def chosen(store: Store, name: str, kinds: Sequence[str] = ()) -> Described:
    """The experiment that a link names, or the newest one; of some kinds first, where any are given.

    Raises
    ------
    NothingYet
        If there is none at all.
    StoreError
        If it is unknown or cannot be read.
    """
    experiments = Experiments(store)
    if not name:
        known = [one for one, _ in listed(store, kinds)] or experiments.ids()
        if not known:
            raise NothingYet(
                "No experiment yet. “New experiment” starts one; so does `prunescope tickets` on the shell."
            )
        name = known[0]
    return experiments.open(name)


def queue(store: Store, described: Described) -> dict[str, Any]:
    """The queue as JSON: each run with its state, progress and error, and the time that is left."""
    summary = summarise(store, described)
    kept = ("key", "run_id", "arm", "label", "seed", "state", "progress", "attempt", "error", "seconds", "parents")
    return plain(
        {
            "id": summary.id,
            "title": summary.title,
            "state": summary.state,
            "counts": summary.counts,
            "seconds_left": summary.seconds_left,
            "left": duration(summary.seconds_left),
            "command": described.command,
            "log": _log_tail(described) if summary.state == "stopped" else "",
            "runs": [{name: getattr(line, name) for name in kept} for line in summary.lines],
        }
    )


def _log_tail(described: Described) -> str:
    """The last line that the experiment's own process wrote: why it does not work on it."""
    try:
        lines = (described.path / LOG).read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""


def overview(store: Store) -> list[dict[str, Any]]:
    """One line an experiment, newest first, as JSON."""
    found = []
    for name in Experiments(store).ids():
        try:
            summary: Summary = summarise(store, Experiments(store).open(name))
        except StoreError as error:
            found.append({"id": name, "title": name, "state": "damaged", "error": str(error), "counts": {}})
            continue
        kept = ("id", "title", "kind", "state", "counts")
        found.append({key: getattr(summary, key) for key in kept} | {"left": duration(summary.seconds_left)})
    return plain(found)


def duration(seconds: float) -> str:
    """In words; "" where it is not known."""
    if not math.isfinite(seconds) or seconds <= 0:
        return ""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 100 * 3600 else f"{seconds / 86400:.0f} days"


def steer(store: Store, described: Described, action: str, key: str) -> None:
    """Do one of `ONE` to a run, or of `ALL` to the queue where no run is named; then see that someone works on it.

    Raises
    ------
    StoreError
        If the run is unknown, or its state does not allow it.
    """
    with described.table() as table:
        if key:
            ONE[action](table, key)
        else:
            ALL[action](table)
        paused = table.paused
    if action in ("resume", "retry", "first") and not paused:
        ensure_head(store, described)


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's settings without what only names it."""
    known = set(RunConfig.__dataclass_fields__)
    return {key: value for key, value in config.items() if key in known and key != "name"}
