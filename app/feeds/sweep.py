"""Any summary quantity of finished runs against any of their settings, mean and spread over seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from prunescope.app.experiments import chosen, duration, listed, settings_of
from prunescope.app.feeds import arms, quantities
from prunescope.app.feeds.points import Point, differs_within, grouped, setting_words, single_runs, varied_settings
from prunescope.app.feeds.recorded import Recorded
from prunescope.app.figures import lab
from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.experiments.specs import Sweep
from prunescope.engine.experiments.summary import summarise
from prunescope.engine.store import Run, Store, StoreError

EVERYTHING = "*"
ONE_LINE = "-"


@dataclass
class Found:
    """The finished runs of an experiment, or of the whole folder.

    Attributes
    ----------
    asked : settings that the experiment itself varies, in its order; they are shown unless others are chosen
    """

    exp: str
    title: str
    planned: int = 0
    left: str = ""
    asked: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    layers: dict[str, None] = field(default_factory=dict)


class SweepFeed:
    """Points grouped by one setting, one line for each value of another."""

    whole = True
    keys = ("exp", "quantity", "setting", "split")

    def __init__(self) -> None:
        self._recorded = Recorded()

    def look(self, store: Store, view: Mapping[str, Any], theme: Any) -> Iterator[dict[str, Any]]:
        found = self._found(store, view["exp"], view["quantity"])
        points, varied = found.points, varied_settings(found.points)
        wanted = [name for name in found.asked if name in varied] + varied
        setting = view["setting"] if view["setting"] in varied else next(iter(wanted), "")
        others = [name for name in varied if name != setting]
        split = view["split"] if view["split"] in others else ""
        if not view["split"] and setting == next(iter(wanted), ""):
            # A sweep of two settings is read as lines of one against the other.
            split = next((name for name in found.asked if name in others and name != "point"), "")
        known = known_quantities(points, list(found.layers))
        quantity = view["quantity"] if view["quantity"] in known else next(iter(known), "accuracy")
        drawn, numeric = grouped(points, setting, split, quantity)
        values = [x for one in drawn for x in one.x] if numeric else []
        look = lab.Look(
            x=setting_words(setting), y=quantities.words(quantity), y_percent=quantities.is_share(quantity),
            x_categories=not numeric, x_log=bool(values) and min(values) > 0 and max(values) / min(values) >= 10,
            empty="nothing finished yet" if not points else "no setting differs between these runs",
        )  # fmt: skip
        each = single_runs(points, setting, split, quantity, drawn)
        yield {
            "settled": {"exp": found.exp},
            "runs": found.runs,
            "options": {
                "exp": [*([name, text] for name, text in listed(store)), [EVERYTHING, "all runs of this folder"]],
                "quantity": [[name, quantities.words(name)] for name in known],
                "setting": [["", "what the sweep varies"], *([name, setting_words(name)] for name in varied)],
                "split": [
                    ["", "what the sweep varies next"], [ONE_LINE, "one line"],
                    *([name, setting_words(name)] for name in others),
                ],
            },
            "figures": {
                "sweep": lab.with_spread(theme, drawn, look),
                "sweep-each": lab.with_spread(theme, each, look),
            },
            "texts": {
                "sweep-finding": finding(drawn, setting, split, quantity),
                "sweep-sub": told_of(found, setting, split, others),
                **_big(drawn, setting, split, quantity),
            },
            "lists": {},
        }  # fmt: skip

    def _found(self, store: Store, asked: str, quantity: str) -> Found:
        """Of layers, only the quantity asked for is computed: that reads weights, and may take a clustering a run."""
        if asked == EVERYTHING or (not asked and not Experiments(store).ids()):
            found = Found(EVERYTHING, "All runs of this folder")
            for run in store.runs():
                if not run.error and len(run.epochs) > 1:
                    found.layers |= dict.fromkeys(info.name for info in run.layers)
                    numbers = self._numbers(run, {}, quantity)
                    found.runs.append(run.id)
                    found.points.append(Point(settings_of(run.config), run.config.get("seed"), numbers))
            found.planned = len(found.points)
            return found
        described = chosen(store, asked)
        summary = summarise(store, described)
        found = Found(described.id, summary.title, len(summary.lines), asked=asked_of(described))
        found.left = duration(summary.seconds_left) if summary.state == "working" else ""
        for line in summary.lines:
            if line.state != "done":
                continue
            settings = settings_of(line.config) | {"arm": line.arm}
            if summary.kind != "sweep":
                settings["level"] = line.level
            elif "point" in found.asked:
                settings["point"] = line.label.replace(", ", "<br>")
            settings["remaining"] = round(float(line.result.get("remaining", 1.0)), 6)
            try:
                run = store.run(line.run_id)
                found.runs.append(run.id)
                found.layers |= dict.fromkeys(info.name for info in run.layers)
                numbers = self._numbers(run, line.result, quantity)
            except StoreError:
                numbers = quantities.finite(line.result)
            found.points.append(Point(settings, line.seed, numbers))
        return found

    def _numbers(self, run: Run, result: Mapping[str, Any], quantity: str) -> dict[str, float]:
        found = dict(result)
        if not found:
            _, metrics = self._recorded.curves(run)
            last = {"accuracy": "val/accuracy", "loss": "val/loss", "train_accuracy": "train/accuracy"}
            found = {name: float(metrics[key][-1]) for name, key in last.items() if len(metrics.get(key, ()))}
        kind, _, layer = quantity.partition(" ")
        if layer and kind in quantities.OF_LAYERS:
            found[quantity] = self._recorded.layer_at_the_end(run, kind, layer)
        return quantities.finite(found)


def asked_of(described: Described) -> list[str]:
    """What an experiment itself varies, the first of it first."""
    plan = described.experiment.plan
    if not isinstance(plan, Sweep):
        return ["arm"] if described.experiment.kind not in arms.REMOVING else ["level", "arm"]
    return [*(["point"] if plan.points else []), *plan.grid]


def known_quantities(points: Sequence[Point], layers: Sequence[str]) -> list[str]:
    found = {name for point in points for name in point.numbers}
    return [*(name for name in quantities.NAMES if name in found),
            *(f"{kind} {name}" for name in layers for kind in quantities.OF_LAYERS)]  # fmt: skip


def told_of(found: Found, setting: str, split: str, others: Sequence[str]) -> str:
    """The grey line: which runs, and in what else those at one point differ."""
    told = [found.title, f"{len(found.points)} of {found.planned} runs"]
    if found.left:
        told.append(f"about {found.left} left")
    mixed = [name for name in others if name not in (split, "remaining", "point")]
    mixed = [name for name in mixed if differs_within(found.points, setting, split, name)]
    if mixed:
        told.append(f"runs at one point also differ in {', '.join(setting_words(name) for name in mixed)}")
    return " · ".join(told)


class End(NamedTuple):
    """A mean over seeds, with where it stands in words."""

    mean: float
    sd: float
    n: int
    at: str


def ends_of(drawn: Sequence[lab.Series], setting: str, split: str) -> list[End]:
    found = []
    for one in drawn:
        line = f", {one.name}" if split else ""
        for x, mean, sd, n in zip(one.x, one.mean, one.sd, one.n, strict=True):
            at = f"{x:g}" if isinstance(x, int | float) else str(x).replace("<br>", ", ")
            found.append(End(mean, sd, n, (at if setting == "point" else f"{setting_words(setting)} {at}") + line))
    return found


def finding(drawn: Sequence[lab.Series], setting: str, split: str, quantity: str) -> str:
    """Between which values the quantity lies, and whether seeds alone would explain it."""
    ends = ends_of(drawn, setting, split)
    if not setting or len(ends) < 2:
        return "Nothing to compare yet: a sweep needs finished runs that differ in a setting."
    high, low = max(ends, key=lambda end: end.mean), min(ends, key=lambda end: end.mean)
    words = quantities.words(quantity)
    told = f"{words[0].upper()}{words[1:]} is highest at {high.at} ({quantities.shown(high.mean, quantity)})"
    told += f" and lowest at {low.at} ({quantities.shown(low.mean, quantity)})"
    sds = [end.sd for end in ends if np.isfinite(end.sd)]
    if not sds:
        return f"{told}; one seed each, so chance is not excluded."
    typical = float(np.sqrt(np.mean(np.square(sds))))
    chance = quantities.difference(typical, quantity)
    if high.mean - low.mean < 2 * typical:
        gap = quantities.difference(high.mean - low.mean, quantity)
        return f"No clear effect of {setting_words(setting)}: {words} differs by {gap}, seeds alone by ± {chance}."
    return f"{told}; seeds alone differ by ± {chance}."


def _big(drawn: Sequence[lab.Series], setting: str, split: str, quantity: str) -> dict[str, str]:
    ends = ends_of(drawn, setting, split)
    if not ends:
        return quantities.no_readout("sweep")
    best = max(ends, key=lambda end: end.mean)
    note = f"highest {quantities.words(quantity)} · {best.at}"
    return quantities.readout("sweep", quantity, best.mean, best.sd, best.n, note)
