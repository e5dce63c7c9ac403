"""Any summary quantity of finished runs against any of their settings, mean and spread over seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from prunescope.app.experiments import chosen, duration, listed, settings_of
from prunescope.app.feeds.recorded import OF_LAYERS, Recorded
from prunescope.app.feeds.tickets import QUANTITIES
from prunescope.app.figures import lab
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.experiments.summary import config_differences, spread, summarise
from prunescope.engine.store import Run, Store, StoreError

EVERYTHING = "*"
MORE = {
    "remaining": "weights remaining",
    "iterations": "iterations",
    "epochs_to_fit": "epochs until fitted",
    "unit_capacity": "unit capacity, mean",
    "unit_impact": "unit impact, mean",
    "distance": "distance to the initialisation",
    "norm": "norm of the hidden layer",
    "angle": "angle to the initialisation",
    "hidden": "hidden units",
}
# What tells replicates from each other, and nothing else.
REPLICATE = ("seed", "name")
BEYOND = ("arm", "level", "remaining")


class Point(NamedTuple):
    """One finished run: what it was asked, and what came of it."""

    settings: dict[str, Any]
    seed: Any
    numbers: dict[str, float]


class SweepFeed:
    """Points grouped by one setting, one line for each value of another."""

    whole = True
    keys = ("exp", "quantity", "setting", "split")

    def __init__(self) -> None:
        self._recorded = Recorded()

    def look(self, store: Store, view: Mapping[str, Any], theme: Any) -> Iterator[dict[str, Any]]:
        layer = view["quantity"].partition(" ")[2]
        exp, title, points, planned, left, layers = self._points(store, view["exp"], layer)
        varied = varied_settings(points)
        setting = view["setting"] if view["setting"] in varied else next(iter(varied), "")
        others = [name for name in varied if name != setting]
        split = view["split"] if view["split"] in others else ""
        quantities = [*quantities_of(points), *(f"{kind} {name}" for name in layers for kind in OF_LAYERS)]
        quantity = view["quantity"] if view["quantity"] in quantities else next(iter(quantities), "accuracy")
        drawn, numeric = grouped(points, setting, split, quantity)
        mixed = [name for name in others if name not in (split, "remaining")]
        mixed = [name for name in mixed if differs_within(points, setting, split, name)]
        y, percent = quantity_words(quantity), "accuracy" in quantity
        values = [x for one in drawn for x in one.x] if numeric else []
        look = lab.Look(
            x=setting_words(setting), y=y, y_percent=percent, x_categories=not numeric,
            x_log=bool(values) and min(values) > 0 and max(values) / min(values) > 20,
            empty="nothing finished yet" if not points else "no setting differs between these runs",
        )  # fmt: skip
        told = [title, f"{len(points)} of {planned} runs", *([f"about {left} left"] if left else [])]
        if mixed:
            told.append(f"runs at one point also differ in {', '.join(setting_words(name) for name in mixed)}")
        yield {
            "settled": {"exp": exp},
            "options": {
                "exp": [*([name, text] for name, text in listed(store)), [EVERYTHING, "all runs of this folder"]],
                "quantity": [[name, quantity_words(name)] for name in quantities],
                "setting": [["", "first that differs"], *([name, setting_words(name)] for name in varied)],
                "split": [["", "one line"], *([name, setting_words(name)] for name in others)],
            },
            "figures": {
                "sweep": lab.with_spread(theme, drawn, look),
                "sweep-each": lab.with_spread(theme, single_runs(points, setting, split, quantity, drawn), look),
            },
            "texts": {
                "sweep-finding": finding(drawn, setting, quantity),
                "sweep-sub": " · ".join(told),
                **_big(drawn, setting, quantity),
            },
            "lists": {},
        }

    def _points(self, store: Store, asked: str, layer: str) -> tuple[str, str, list[Point], int, str, list[str]]:
        """Experiment id, title, finished runs, number planned, time left in words, layers.

        Of layers, only ``layer`` is looked into: that reads weights, and takes a clustering a run.
        """
        layers: dict[str, None] = {}
        if asked == EVERYTHING or (not asked and not Experiments(store).ids()):
            runs = [run for run in store.runs() if not run.error and len(run.epochs) > 1]
            for run in runs:
                layers |= dict.fromkeys(info.name for info in run.layers)
            points = [
                Point(settings_of(run.config), run.config.get("seed"), self._numbers(run, {}, layer)) for run in runs
            ]
            return EVERYTHING, "All runs of this folder", points, len(points), "", list(layers)
        described = chosen(store, asked)
        summary = summarise(store, described)
        points = []
        for line in summary.lines:
            if line.state != "done":
                continue
            settings = settings_of(line.config) | {"arm": line.arm}
            if summary.kind != "sweep":  # there it only numbers the points
                settings["level"] = line.level
            settings["remaining"] = round(float(line.result.get("remaining", 1.0)), 6)
            try:
                run = store.run(line.run_id)
                layers |= dict.fromkeys(info.name for info in run.layers)
                numbers = self._numbers(run, line.result, layer)
            except StoreError:
                numbers = _finite(line.result)
            points.append(Point(settings, line.seed, numbers))
        left = duration(summary.seconds_left) if summary.state == "working" else ""
        return described.id, summary.title, points, len(summary.lines), left, list(layers)

    def _numbers(self, run: Run, result: Mapping[str, Any], layer: str) -> dict[str, float]:
        found = dict(result)
        if not found:
            _, metrics = self._recorded.curves(run)
            last = {"accuracy": "val/accuracy", "loss": "val/loss", "train_accuracy": "train/accuracy"}
            found = {name: float(metrics[key][-1]) for name, key in last.items() if len(metrics.get(key, ()))}
        return _finite(found | (self._recorded.layer_at_the_end(run, layer) if layer else {}))


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value)
    }


def varied_settings(points: Sequence[Point]) -> list[str]:
    """Settings that take several values, in their own order; arm, level and what remains last."""
    differing = config_differences([point.settings for point in points])
    found = [name for name in differing if name not in REPLICATE]
    return [*(name for name in found if name not in BEYOND), *(name for name in BEYOND if name in found)]


def quantities_of(points: Sequence[Point]) -> list[str]:
    found = dict.fromkeys(name for point in points for name in point.numbers)
    return [name for name in (*QUANTITIES, *MORE) if name in found]


def quantity_words(name: str) -> str:
    kind, _, layer = name.partition(" ")
    if layer:
        return f"{OF_LAYERS.get(kind, kind)} of {layer}"
    return QUANTITIES.get(name) or MORE.get(name) or name.replace("_", " ")


def setting_words(name: str) -> str:
    return {"lr": "learning rate", "level": "round or level"}.get(name) or MORE.get(name) or name.replace("_", " ")


def plain_value(value: Any) -> Any:
    """A list of one is that one: the width of a net with one hidden layer is a number."""
    if isinstance(value, list | tuple):
        return plain_value(value[0]) if len(value) == 1 else ", ".join(str(item) for item in value)
    if isinstance(value, bool) or value is None:
        return str(value)
    return value


def grouped(points: Sequence[Point], setting: str, split: str, quantity: str) -> tuple[list[lab.Series], bool]:
    """One series for each value of ``split``; whether ``setting`` is a number throughout."""
    if not setting:
        return [], False
    held = [point for point in points if quantity in point.numbers and setting in point.settings]
    places = list(dict.fromkeys(plain_value(point.settings[setting]) for point in held))
    numeric = bool(places) and all(isinstance(place, int | float) for place in places)
    places = sorted(places) if numeric else [str(place) for place in places]
    lines = list(dict.fromkeys(str(plain_value(point.settings.get(split, ""))) for point in held))
    drawn = []
    for i, line in enumerate(lines):
        mine = [point for point in held if str(plain_value(point.settings.get(split, ""))) == line]
        by_place: dict[Any, list[float]] = {place: [] for place in places}
        for point in mine:
            place = plain_value(point.settings[setting])
            by_place[place if numeric else str(place)].append(point.numbers[quantity])
        spreads = [(place, spread(values)) for place, values in by_place.items() if values]
        drawn.append(
            lab.Series(
                name=f"{setting_words(split)} {line}" if split else quantity_words(quantity),
                x=[place for place, _ in spreads],
                mean=[value.mean for _, value in spreads],
                sd=[value.sd for _, value in spreads],
                n=[value.n for _, value in spreads],
                colour=i,
                dash=i,
            )
        )
    return drawn, numeric


def single_runs(
    points: Sequence[Point], setting: str, split: str, quantity: str, drawn: Sequence[lab.Series]
) -> list[lab.Series]:
    """The same numbers, seed by seed: one line for each seed."""
    if not setting:
        return []
    seeds = list(dict.fromkeys(point.seed for point in points))
    found = []
    for i, seed in enumerate(seeds):
        mine = [point for point in points if point.seed == seed]
        for one in grouped(mine, setting, split, quantity)[0]:
            name = f"seed {seed}" + (f", {one.name}" if split else "")
            same = next((j for j, other in enumerate(drawn) if other.name == one.name), i) if split else i
            found.append(lab.Series(name=name, x=one.x, mean=one.mean, sd=[np.nan] * len(one.x), n=one.n, colour=same,
                                    dash=i))  # fmt: skip
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


def _shown(value: float, quantity: str) -> str:
    return f"{100 * value:.1f} %" if "accuracy" in quantity or quantity == "remaining" else f"{value:.3g}"


def _difference(value: float, quantity: str) -> str:
    return f"{100 * value:.1f} points" if "accuracy" in quantity or quantity == "remaining" else f"{value:.2g}"


def finding(drawn: Sequence[lab.Series], setting: str, quantity: str) -> str:
    """Between which values the quantity lies, and whether seeds alone would explain it."""
    ends = [(one.mean[i], one.x[i], one.sd[i]) for one in drawn for i in range(len(one.x))]
    if not setting or len(ends) < 2:
        return "Nothing to compare yet: a sweep needs finished runs that differ in a setting."
    (high, at_high, _), (low, at_low, _) = max(ends, key=lambda end: end[0]), min(ends, key=lambda end: end[0])
    words, name = quantity_words(quantity), setting_words(setting)
    told = f"{words[0].upper()}{words[1:]} is highest at {name} {_at(at_high)} ({_shown(high, quantity)})"
    told += f" and lowest at {_at(at_low)} ({_shown(low, quantity)})"
    sds = [sd for _, _, sd in ends if np.isfinite(sd)]
    if not sds:
        return f"{told}; one seed each, so chance is not excluded."
    typical = float(np.sqrt(np.mean(np.square(sds))))
    if high - low < 2 * typical:
        gap, chance = _difference(high - low, quantity), _difference(typical, quantity)
        return f"No clear effect of {name}: {words} differs by {gap}, seeds alone by ± {chance}."
    return f"{told}; seeds alone differ by ± {_difference(typical, quantity)}."


def _at(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _big(drawn: Sequence[lab.Series], setting: str, quantity: str) -> dict[str, str]:
    ends = [(one.mean[i], one.sd[i], one.n[i], one.x[i], one.name) for one in drawn for i in range(len(one.x))]
    if not ends:
        return {"sweep-big": "–", "sweep-big-error": "", "sweep-big-note": ""}
    mean, sd, n, x, _ = max(ends, key=lambda end: end[0])
    return {
        "sweep-big": _shown(mean, quantity),
        "sweep-big-error": "n=1" if n == 1 else f"± {_shown(sd, quantity).removesuffix(' %')}, n={n}",
        "sweep-big-note": f"highest {quantity_words(quantity)} · {setting_words(setting)} {_at(x)}",
    }
