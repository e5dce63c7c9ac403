"""Several runs in the same pictures: their curves, how aligned they are, and what tells their settings apart."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from prunescope.app.experiments import NothingYet, settings_of
from prunescope.app.feeds import arms, quantities
from prunescope.app.feeds.curve import HEADLINES
from prunescope.app.feeds.merged import merged_runs
from prunescope.app.feeds.recorded import Recorded
from prunescope.app.feeds.words import minus
from prunescope.app.figures import lab
from prunescope.app.figures.merged import Merged, merged
from prunescope.engine.experiments.summary import config_differences, spread
from prunescope.engine.store import Run, Store, StoreError
from prunescope.engine.training.start import read_start

MOST = 24
# Alignment is worked out epoch by epoch: what is known so far goes out in this rhythm.
TELL_SECONDS = 0.7
COLOURS = 8
# Numbers of layers in the table: each is a clustering or a decomposition a run.
OF_LAYERS = ("angle", "closer", "rank", "spread", "turned")
_CELL = re.compile(r"\.s\d+-(.+)$")
_SEED = re.compile(r"[,:]?\s*seed[ =]?\d+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Runs that differ in the seed alone, or a single run."""

    runs: tuple[Run, ...]
    name: str
    colour: int
    dash: int


class CompareFeed:
    """The runs that are ticked; the chosen one where none is."""

    whole = True
    keys = ("run", "runs", "paint", "layer", "metric")

    def __init__(self) -> None:
        self._recorded = Recorded()

    def look(self, store: Store, view: Mapping[str, Any], theme: Any) -> Iterator[dict[str, Any]]:
        ids = list(dict.fromkeys(name for name in (view["runs"] or view["run"]).split(",") if name))
        runs, missing = [], []
        for name in ids[:MOST]:
            try:
                run = store.run(name)
                (runs if len(run.epochs) else missing).append(run if len(run.epochs) else name)
            except StoreError:
                missing.append(name)
        if not runs:
            raise NothingYet("No runs to compare yet. Tick them in the list of runs; a double click shows one alone.")
        groups = cohorts(runs, painted(ids, view["paint"]))
        curves = [[self._recorded.curves(run) for run in group.runs] for group in groups]
        metrics = list(dict.fromkeys(name for held in curves for _, table in held for name in table))
        best = next((name for name in HEADLINES if name in metrics), metrics[0] if metrics else "")
        metric = view["metric"] if view["metric"] in metrics else best
        other = "val/loss" if metric != "val/loss" else best
        told = [f"{len(runs)} runs" if len(runs) > 1 else "1 run"]
        if len(groups) < len(runs):
            alone = "they differ in the seed alone"
            told += [f"{len(groups)} groups that differ in more than the seed" if len(groups) > 1 else alone]
        told += [f"{len(ids) - MOST} more are ticked than fit"] if len(ids) > MOST else []
        told += [f"nothing recorded in {', '.join(missing)[:120]}"] if missing else []
        layers = [layer_in(group.runs[0], view["layer"]) for group in groups]
        drawn = self._over_epochs(groups, curves, metric)
        pair = pair_of(groups)
        both = merged_runs(pair, [layer_in(run, view["layer"]) for run, _ in pair])
        answer = {
            "settled": {},
            "runs": [run.id for run in runs],
            "options": {"metric": [["", f"{best or 'nothing recorded'} (first)"], *([name, name] for name in metrics)]},
            "figures": {
                "compare-metric": lab.with_spread(theme, drawn, _look(metric)),
                "compare-other": lab.with_spread(
                    theme, self._over_epochs(groups, curves, other), _look(other, low=True)
                ),
                "compare-effect": lab.with_spread(theme, [], _look("", empty="measuring …")),
                "compare-merged": merged(theme, both),
            },
            "texts": {
                "compare-finding": finding(drawn, metric, curves),
                "compare-sub": " · ".join([*told, f"alignment of {', '.join(dict.fromkeys(layers))}"]),
                "compare-other-note": other,
                "compare-merged-note": alike(both),
                **_big(drawn, metric),
            },
            "lists": {},
            "tables": {"compare-settings": settings_table(groups), "compare-layers": self._layers(groups)},
        }
        yield answer
        for effects in self._effects(groups, layers):
            look = _look("closer than by chance", low=True, more={"ticksuffix": "°"})
            answer["figures"]["compare-effect"] = lab.with_spread(theme, effects, look)
            yield answer

    @staticmethod
    def _over_epochs(groups: Sequence[Cohort], curves: Sequence[Any], metric: str) -> list[lab.Series]:
        found = []
        for group, held in zip(groups, curves, strict=True):
            known = [(epochs, table[metric]) for epochs, table in held if metric in table]
            length = min((min(len(epochs), len(values)) for epochs, values in known), default=0)
            if length:
                found.append(_series(group, known[0][0][:length], [values[:length] for _, values in known]))
        return found

    def _effects(self, groups: Sequence[Cohort], layers: Sequence[str]) -> Iterator[list[lab.Series]]:
        """The alignment of every epoch, as it is worked out; the last one is complete."""
        known: list[list[list[float]]] = [[[] for _ in group.runs] for group in groups]
        told = time.monotonic()

        def drawn() -> list[lab.Series]:
            found = []
            for group, values in zip(groups, known, strict=True):
                length = min(len(one) for one in values)
                if length:
                    epochs = np.asarray(group.runs[0].epochs)[:length]
                    found.append(_series(group, epochs, [np.asarray(one[:length]) for one in values]))
            return found

        for group, layer, values in zip(groups, layers, known, strict=True):
            lengths = [len(run.epochs) for run in group.runs]
            for i in range(min(lengths)):
                for run, one in zip(group.runs, values, strict=True):
                    one.append(self._recorded.effect(run, layer, float(run.epochs[i])))
                if time.monotonic() - told > TELL_SECONDS:
                    yield drawn()
                    told = time.monotonic()
        yield drawn()

    def _layers(self, groups: Sequence[Cohort]) -> dict[str, Any]:
        """A row a layer, a column a group, each of the overview's numbers below the other."""
        names = list(dict.fromkeys(layer.name for group in groups for layer in group.runs[0].layers))
        rows = []
        for name in names:
            for kind in OF_LAYERS:
                cells = []
                for group in groups:
                    values = [self._recorded.layer_at_the_end(run, kind, name) for run in group.runs]
                    cells.append(_cell([value for value in values if np.isfinite(value)]))
                rows.append([f"{name}, {quantities.OF_LAYERS[kind]}", *cells])
        return {"head": ["at the last epoch", *(group.name for group in groups)], "rows": rows}


def alike(both: Merged | str) -> str:
    """How near the units of two networks are to each other."""
    if isinstance(both, str):
        return ""
    same = f", to the same unit {both.same:.2f}" if np.isfinite(both.same) else ""
    return minus(f"cosine to the nearest {both.nearest:.2f}{same}")


def painted(ids: Sequence[str], paint: str) -> dict[str, int]:
    """Colours that a page or a link asks for, a digit a run; {} unless there is one for each (``tellPage`` in colours.js)."""
    if len(paint) != len(ids) or not all(digit in "01234567" for digit in paint):
        return {}
    return dict(zip(ids, map(int, paint), strict=True))


def pair_of(groups: Sequence[Cohort]) -> list[tuple[Run, str]]:
    """The first run of each group by the group's name; where there is one group, its runs by their own."""
    if len(groups) > 1:
        return [(group.runs[0], group.name) for group in groups]
    runs = groups[0].runs
    same = len({run.name for run in runs}) < len(runs)
    return [(run, run.id if same else run.name) for run in runs]


def cohorts(runs: Sequence[Run], paint: Mapping[str, int] | None = None) -> list[Cohort]:
    """Runs by what they are besides their seed, in the order in which they were ticked."""
    by_kind: dict[str, list[Run]] = {}
    for run in runs:
        settings = settings_of(run.config)
        settings.pop("seed", None)
        cell = _CELL.search(run.id)
        # A run of somebody's own loop may have recorded no settings: then nothing says that it is a replicate.
        own = run.id if not settings else cell[1] if cell else ""
        by_kind.setdefault(f"{sorted(settings.items(), key=str)} {own}", []).append(run)
    found, used = [], {}
    for members in by_kind.values():
        colour = (paint or {}).get(members[0].id, colour_of(members[0].id))
        used[colour] = used.get(colour, -1) + 1
        name = members[0].name if len(members) == 1 else _SEED.sub("", members[0].name).strip(" :,") or members[0].name
        found.append(Cohort(runs=tuple(members), name=name, colour=colour, dash=used[colour]))
    names = without_common_beginning([one.name for one in found])
    # The same name twice would make two lines that cannot be told apart.
    names = [one.runs[0].id if names.count(name) > 1 else name for one, name in zip(found, names, strict=True)]
    return [replace(one, name=name) for one, name in zip(found, names, strict=True)]


def without_common_beginning(names: Sequence[str]) -> list[str]:
    """Names without what all of them begin with, up to the colon behind an experiment's name."""
    beginnings = {name.partition(": ")[0] for name in names if ": " in name}
    if len(names) < 2 or len(beginnings) != 1 or not all(": " in name for name in names):
        return list(names)
    return [name.partition(": ")[2] for name in names]


def colour_of(run_id: str) -> int:
    """Place of the colour that a run's name gives, as in the list of runs (``byName`` in assets/colours.js)."""
    total = 0
    for letter in run_id:
        total = (total * 31 + ord(letter)) & 0xFFFFFFFF
    return total % COLOURS


def layer_in(run: Run, name: str) -> str:
    """The layer asked for where the run has it, else its first one."""
    names = [layer.name for layer in run.layers]
    return name if name in names or not names else names[0]


def _series(group: Cohort, epochs: np.ndarray, values: Sequence[np.ndarray]) -> lab.Series:
    stack = np.asarray(values, float)
    n = len(stack)
    return lab.Series(
        name=group.name,
        x=epochs.tolist(),
        mean=stack.mean(axis=0).tolist(),
        sd=stack.std(axis=0, ddof=1).tolist() if n > 1 else [np.nan] * len(epochs),
        n=[n] * len(epochs),
        colour=group.colour,
        dash=group.dash,
    )


def _look(metric: str, **more: Any) -> lab.Look:
    return lab.Look(x="epoch", y=metric, y_percent=quantities.is_share(metric), points=False, **more)


def settings_table(groups: Sequence[Cohort]) -> dict[str, Any]:
    """Settings that differ between the groups, and how each began; seeds in the last row, unless one is all there is."""
    configs = [settings_of(group.runs[0].config) | began(group.runs[0]) for group in groups]
    for config in configs:
        config.pop("seed", None)
    rows = [[name, *(_text(config.get(name)) for config in configs)] for name in config_differences(configs)]
    seeds = [", ".join(_text(run.config.get("seed")) for run in group.runs) for group in groups]
    if len({_text(run.config.get("seed")) for group in groups for run in group.runs}) > 1:
        rows.append(["seed", *seeds])
    return {"head": ["setting", *(group.name for group in groups)], "rows": rows}


def began(run: Run) -> dict[str, Any]:
    """How a run of an experiment began, which its settings do not say; {} for any other."""
    start = read_start(run.path)
    if start is None or not start.facts.get("arm"):
        return {}
    left = start.facts.get("remaining")
    told = {"began as": arms.words_of(start.facts["arm"]), "round": start.facts.get("label")}
    return told | ({"weights remaining": f"{100 * left:.3g} %"} if left is not None else {})


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    found = spread(values)
    return minus(f"{found.mean:.3g}") + (f" ± {found.sd:.2g} (n={found.n})" if found.n > 1 else "")


def finding(drawn: Sequence[lab.Series], metric: str, curves: Sequence[Any]) -> str:
    """Who ends best, by how much, and whether seeds alone would explain it."""
    ends = [(one.name, one.mean[-1], one.sd[-1], one.n[-1]) for one in drawn if np.isfinite(one.mean[-1])]
    if not ends:
        return "These runs have recorded no metric in common."
    if len(ends) == 1:
        name, mean, _, n = ends[0]
        more = "tick a run with other settings" if n > 1 else "tick another run"
        return f"{name} ends at {quantities.shown(mean, metric)} (n={n}); {more} to compare it with."
    sign = 1 if "loss" in metric else -1
    ranked = sorted(ends, key=lambda end: sign * end[1])
    (first, high, sd_a, n_a), (last, low, sd_b, n_b) = ranked[0], ranked[-1]
    gap = abs(high - low)
    apart = quantities.difference(gap, metric)
    if n_a > 1 and n_b > 1 and gap < 2 * np.sqrt((sd_a**2 + sd_b**2) / 2):
        return f"No clear difference: {first} and {last} end {apart} apart, within what seeds alone do."
    few = "" if n_a > 1 and n_b > 1 else "; with one seed, chance is not excluded"
    return f"{first} ends best ({quantities.shown(high, metric)}), {apart} ahead of {last}{few}."


def _big(drawn: Sequence[lab.Series], metric: str) -> dict[str, str]:
    ends = [one for one in drawn if np.isfinite(one.mean[-1])]
    if not ends:
        return quantities.no_readout("compare")
    pick = min if "loss" in metric else max
    best = pick(ends, key=lambda one: one.mean[-1])
    note = f"best final {metric} · {best.name}"
    return quantities.readout("compare", metric, best.mean[-1], best.sd[-1], best.n[-1], note)
