"""Any summary quantity of finished runs against any of their settings, mean and spread over seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from prunescope.app.experiments import chosen, duration, listed, settings_of
from prunescope.app.feeds import arms, quantities
from prunescope.app.feeds.recorded import Recorded
from prunescope.app.figures import lab
from prunescope.engine.config import field_specs
from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.experiments.specs import Sweep
from prunescope.engine.experiments.summary import config_differences, spread, summarise
from prunescope.engine.store import Run, Store, StoreError

EVERYTHING = "*"
ONE_LINE = "-"
# What tells replicates from each other, and nothing else.
REPLICATE = ("seed", "name")
BEYOND = ("arm", "point", "level", "remaining")
BESIDE = {"level": "round or level", "point": "point of the sweep", "remaining": "weights remaining"}


class Point(NamedTuple):
    """One finished run: what it was asked, and what came of it."""

    settings: dict[str, Any]
    seed: Any
    numbers: dict[str, float]


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
            x_categories=not numeric, x_log=bool(values) and min(values) > 0 and max(values) / min(values) > 20,
            empty="nothing finished yet" if not points else "no setting differs between these runs",
        )  # fmt: skip
        each = single_runs(points, setting, split, quantity, drawn)
        yield {
            "settled": {"exp": found.exp},
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


def varied_settings(points: Sequence[Point]) -> list[str]:
    """Settings that take several values, in their own order; arm, level and what remains last."""
    differing = config_differences([point.settings for point in points])
    found = [name for name in differing if name not in REPLICATE]
    return [*(name for name in found if name not in BEYOND), *(name for name in BEYOND if name in found)]


def known_quantities(points: Sequence[Point], layers: Sequence[str]) -> list[str]:
    found = {name for point in points for name in point.numbers}
    return [*(name for name in quantities.NAMES if name in found),
            *(f"{kind} {name}" for name in layers for kind in quantities.OF_LAYERS)]  # fmt: skip


def setting_words(name: str) -> str:
    return BESIDE.get(name) or _labels().get(name, name.replace("_", " "))


@cache
def _labels() -> dict[str, str]:
    """As in the form of a run, inside a sentence."""
    return {spec.name: spec.label[:1].lower() + spec.label[1:] for spec in field_specs()}


def line_words(split: str, value: str) -> str:
    """What a line is called that stands for one value of a setting."""
    return arms.words_of(value) if split == "arm" else f"{setting_words(split)} {value}"


def plain_value(value: Any) -> Any:
    """A list of one is that one: the width of a net with one hidden layer is a number."""
    if isinstance(value, list | tuple):
        return plain_value(value[0]) if len(value) == 1 else ", ".join(str(item) for item in value)
    if isinstance(value, bool) or value is None:
        return str(value)
    return value


def line_value(point: Point, split: str) -> str:
    """The value that tells a point's line from others, as text."""
    value = plain_value(point.settings.get(split, ""))
    return f"{value:g}" if isinstance(value, float) else str(value)


def grouped(points: Sequence[Point], setting: str, split: str, quantity: str) -> tuple[list[lab.Series], bool]:
    """One series for each value of ``split``; whether ``setting`` is a number throughout."""
    if not setting:
        return [], False
    held = [point for point in points if quantity in point.numbers and setting in point.settings]
    places = list(dict.fromkeys(plain_value(point.settings[setting]) for point in held))
    numeric = bool(places) and all(isinstance(place, int | float) for place in places)
    places = sorted(places) if numeric else [str(place) for place in places]
    lines = list(dict.fromkeys(line_value(point, split) for point in held))
    drawn = []
    for i, line in enumerate(lines):
        mine = [point for point in held if line_value(point, split) == line]
        by_place: dict[Any, list[float]] = {place: [] for place in places}
        for point in mine:
            place = plain_value(point.settings[setting])
            by_place[place if numeric else str(place)].append(point.numbers[quantity])
        spreads = [(place, spread(values)) for place, values in by_place.items() if values]
        drawn.append(
            lab.Series(
                name=line_words(split, line) if split else quantities.words(quantity),
                x=[place for place, _ in spreads],
                mean=[value.mean for _, value in spreads],
                sd=[value.sd for _, value in spreads],
                n=[value.n for _, value in spreads],
                colour=arms.colour_of(line, lines) if split == "arm" else i,
                dash=i,
            )
        )
    return drawn, numeric


def single_runs(
    points: Sequence[Point], setting: str, split: str, quantity: str, drawn: Sequence[lab.Series]
) -> list[lab.Series]:
    """The same numbers, seed by seed: a line for each, in the colour of its mean where there are several of these."""
    if not setting:
        return []
    colours = {one.name: one.colour for one in drawn}
    found = []
    for i, seed in enumerate(dict.fromkeys(point.seed for point in points)):
        mine = [point for point in points if point.seed == seed]
        for one in grouped(mine, setting, split, quantity)[0]:
            # With several lines their names are what a reader needs; the dash tells the seeds apart.
            name = one.name if split else f"seed {seed}"
            known = any(other.name == name for other in found)
            found.append(
                lab.Series(
                    name=name, x=one.x, mean=one.mean, sd=[np.nan] * len(one.x), n=one.n, dash=i,
                    colour=colours.get(one.name, i) if split else i, counted="", labelled=not known,
                )
            )  # fmt: skip
    return found


def differs_within(points: Sequence[Point], setting: str, split: str, name: str) -> bool:
    """Whether runs that are taken together as one point differ in another setting."""
    seen: dict[tuple[str, str], str] = {}
    for point in points:
        place = (str(point.settings.get(setting)), str(point.settings.get(split, "")))
        value = str(point.settings.get(name))
        if seen.setdefault(place, value) != value:
            return True
    return False


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
