"""What came of an experiment so far: arms × levels × seeds, mean ± sd, progress. Imports no torch.

Reads the run table only, but for the progress of what runs now, so that a page may ask twice a second.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from prunescope.engine.experiments.cells import DENSE
from prunescope.engine.experiments.folder import Described
from prunescope.engine.experiments.masks import Mask, overlap
from prunescope.engine.experiments.table import STATES, Row
from prunescope.engine.store import Run, Store, StoreError
from prunescope.engine.training.start import read_start


class Spread(NamedTuple):
    """Mean and standard deviation (n − 1) over seeds; sd is nan for n = 1, mean too for n = 0."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Line:
    """One run.

    Attributes
    ----------
    state : of the table, or "blocked": a parent failed or was cancelled
    progress : 0 … 1
    result : see `results.result_of`; {} until it is done
    """

    key: str
    run_id: str
    arm: str
    level: float
    label: str
    seed: int
    state: str
    progress: float
    attempt: int
    error: str
    seconds: float
    parents: tuple[str, ...]
    config: Mapping[str, Any]
    result: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Group:
    """The seeds of one arm at one level.

    Attributes
    ----------
    values : quantity → its spread over the finished seeds
    """

    arm: str
    level: float
    label: str
    values: Mapping[str, Spread]
    n_planned: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An experiment at a glance.

    Attributes
    ----------
    state : "working", "waiting" (for its turn), "paused", "done", "failed" (something failed, the rest is
        done) or "stopped" (runs are queued, and no process works on them)
    counts : state → number of runs
    seconds_left : estimate for the runs that are left; nan until one is done
    differences : setting → the values it takes among the runs, where it takes several
    """

    id: str
    name: str
    title: str
    kind: str
    state: str
    counts: Mapping[str, int]
    lines: Sequence[Line]
    groups: Sequence[Group]
    seconds_left: float
    differences: Mapping[str, Sequence[Any]]


def summarise(store: Store, described: Described, *, workers: int = 1) -> Summary:
    """Everything that a page or a table needs of an experiment.

    Parameters
    ----------
    workers : how many runs are computed at once, for the time that is left
    """
    with described.table() as table:
        rows, paused = table.rows(), table.paused
    lines = _lines(store, described, rows)
    counts = dict.fromkeys((*STATES, "blocked"), 0)
    for line in lines:
        counts[line.state] += 1
    return Summary(
        id=described.id,
        name=described.experiment.name,
        title=described.experiment.title or described.experiment.name,
        kind=described.experiment.kind,
        state=_state(counts, paused=paused, working=described.is_working, waiting=described.is_waiting),
        counts=counts,
        lines=lines,
        groups=grouped(lines),
        seconds_left=seconds_left(lines, workers),
        differences=config_differences([line.config for line in lines]),
    )


def _lines(store: Store, described: Described, rows: Sequence[Row]) -> list[Line]:
    dead: set[str] = set()
    for _ in rows:  # parents may stand behind their children once the queue has been reordered
        grown = dead | {
            row.key
            for row in rows
            if row.state in ("failed", "cancelled") or (row.state == "queued" and set(row.cell.parents) & dead)
        }
        if grown == dead:
            break
        dead = grown
    lines = []
    for row in rows:
        blocked = row.state == "queued" and row.key in dead
        run_id = row.run_id or described.run_id(row.key)
        lines.append(
            Line(
                key=row.key, run_id=run_id, arm=row.cell.arm, level=row.cell.level, label=row.cell.label,
                seed=row.cell.seed, state="blocked" if blocked else row.state, progress=_progress(store, row, run_id),
                attempt=row.attempt, error=row.error, seconds=row.seconds, parents=row.cell.parents,
                config=row.cell.config, result=row.result,
            )
        )  # fmt: skip
    return lines


def _progress(store: Store, row: Row, run_id: str) -> float:
    if row.state == "done":
        return 1.0
    if row.attempt == 0:
        return 0.0
    try:
        head = store.run(run_id).head
    except StoreError:
        return 0.0
    return min((head.epoch or 0.0) / head.total_epochs, 1.0) if head.total_epochs else 0.0


def _state(counts: Mapping[str, int], *, paused: bool, working: bool, waiting: bool) -> str:
    if working:
        return "paused" if paused else "working"
    if counts["queued"] or counts["running"]:
        return "paused" if paused else "waiting" if waiting else "stopped"
    if counts["paused"]:
        return "paused"
    return "failed" if counts["failed"] or counts["blocked"] else "done"


def grouped(lines: Iterable[Line]) -> list[Group]:
    """Lines by arm and level, in their order, with the spread of every number over the seeds."""
    by_place: dict[tuple[str, float, str], list[Line]] = {}
    for line in lines:
        by_place.setdefault((line.arm, line.level, line.label), []).append(line)
    groups = []
    for (arm, level, label), members in by_place.items():
        results = [line.result for line in members if line.state == "done"]
        # A quantity that some seed has no value of (never fitted) has no mean over the seeds.
        names = [name for name in (results[0] if results else {}) if all(_is_number(r.get(name)) for r in results)]
        values = {name: spread([result[name] for result in results]) for name in names}
        groups.append(Group(arm=arm, level=level, label=label, values=values, n_planned=len(members)))
    return groups


def spread(values: Sequence[float]) -> Spread:
    """Mean ± sd of a sample, n beside it."""
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    return Spread(mean, float(np.std(values, ddof=1)) if n > 1 else math.nan, n)


def seconds_left(lines: Sequence[Line], workers: int) -> float:
    """From the mean time of finished runs; runs of one experiment are much alike."""
    done = [line.seconds for line in lines if line.state == "done" and line.seconds > 0]
    if not done:
        return math.nan
    left = sum(1 - line.progress for line in lines if line.state in ("queued", "running"))
    return left * float(np.mean(done)) / max(workers, 1)


def config_differences(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Settings that differ between runs, with the values that occur, in order of appearance."""
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for config in configs for name in config):
        values: list[Any] = []
        for config in configs:
            if config.get(name) not in values:
                values.append(config.get(name))
        if len(values) > 1:
            found[name] = values
    return found


def masks_of(run: Run) -> dict[str, Mask]:
    """Parameter name → True where kept, for a run that began under masks; {} for any other."""
    start = read_start(run.path)
    return dict(start.masks) if start is not None else {}


class LayerOverlap(NamedTuple):
    """Mean intersection over union of the masks of all pairs of seeds, beside what chance gives."""

    mean: float
    expected: float
    n_pairs: int


def mask_overlap(store: Store, lines: Sequence[Line], arm: str, level: float) -> dict[str, LayerOverlap]:
    """Parameter → how far the masks of different seeds keep the same entries, for one arm and level."""
    members = [line for line in lines if (line.arm, line.level, line.state) == (arm, level, "done")]
    masks = [masks_of(store.run(line.run_id)) for line in members]
    found = {}
    for name in masks[0] if masks else ():
        pairs = [overlap(one[name], other[name]) for one, other in combinations(masks, 2)]
        if pairs:
            shared, expected = np.nanmean(np.array(pairs), axis=0) if not _empty(pairs) else (math.nan, math.nan)
            found[name] = LayerOverlap(float(shared), float(expected), len(pairs))
    return found


def _empty(pairs: Sequence[tuple[float, float]]) -> bool:
    return all(math.isnan(shared) for shared, _ in pairs)


def accuracy_curve_of(summary: Summary, arm: str, quantity: str = "accuracy") -> list[tuple[float, Spread]]:
    """(remaining, spread) of an arm by falling remaining, the dense net first where the arm starts from it."""
    chosen = [group for group in summary.groups if group.arm in (arm, DENSE) and quantity in group.values]
    chosen.sort(key=lambda group: -group.values["remaining"].mean)
    return [(group.values["remaining"].mean, group.values[quantity]) for group in chosen]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
