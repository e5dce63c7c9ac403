"""Any quantity of finished runs against any of their settings, mean and spread over seeds.

What the run table holds is there at once, what weights tell is computed when it is chosen, and what only the evaluator
can tell is measured network by network, drawn as it comes, and kept.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from prunescope.app.criteria import words as criterion_words
from prunescope.app.evaluator import Evaluator
from prunescope.app.experiments import chosen, duration, listed, of_run, settings_of
from prunescope.app.feeds import arms, finals, quantities
from prunescope.app.feeds.points import Point, differs_within, grouped, setting_words, single_runs, varied_settings
from prunescope.app.feeds.recorded import Recorded
from prunescope.app.figures import lab
from prunescope.app.measured import Measured, Question
from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.experiments.specs import Sweep
from prunescope.engine.experiments.summary import summarise
from prunescope.engine.store import Run, Store, StoreError

EVERYTHING = "*"
ONE_LINE = "-"
# Behind whatever a page about one network asks.
PRIORITY = 6
# What has been measured is drawn in this rhythm, and new runs are looked for.
TELL_SECONDS = 0.7


@dataclass
class Found:
    """The finished runs of an experiment, or of the whole folder.

    Attributes
    ----------
    asked : settings that the experiment itself varies, in its order; they are shown unless others are chosen
    missing : what is to be measured for the quantity chosen
    problems : why something could not be
    measurable : runs whose number is measured, those that are missing among them
    """

    exp: str
    title: str
    planned: int = 0
    left: str = ""
    asked: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    layers: dict[str, None] = field(default_factory=dict)
    missing: list[Question] = field(default_factory=list)
    problems: dict[str, None] = field(default_factory=dict)
    measurable: int = 0


class SweepFeed:
    """Points grouped by one setting, one line for each value of another."""

    whole = True
    measured = True
    keys = ("run", "exp", "quantity", "setting", "split", "crit", "share", "rank")

    def __init__(self) -> None:
        self._recorded = Recorded()

    def look(
        self, store: Store, view: Mapping[str, Any], theme: Any, kept: Measured | None = None,
        evaluator: Evaluator | None = None,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Without an evaluator only what is kept already is shown of what has to be measured."""
        failed: dict[str, str] = {}
        while True:
            found = self._found(store, view, kept, failed)
            yield answer(store, view, theme, found)
            if evaluator is None or kept is None or not found.missing:
                return
            until = time.monotonic() + TELL_SECONDS
            for question in found.missing:
                try:
                    # The last part is the exact one.
                    for told in evaluator.ask(question.ask, priority=PRIORITY, **question.details):
                        last = told
                    kept.put(question, last)
                except ValueError as problem:
                    failed[question.key] = str(problem)
                if time.monotonic() > until:
                    break

    def _found(self, store: Store, view: Mapping[str, Any], kept: Measured | None, failed: Mapping[str, str]) -> Found:
        """Of layers, only the quantity asked for is computed: that reads weights, and may take a clustering a run."""
        asked = view["exp"] or of_run(store, view["run"])
        if asked == EVERYTHING or (not asked and not Experiments(store).ids()):
            found = Found(EVERYTHING, "All runs of this folder")
            for run in store.runs():
                if not run.error and len(run.epochs) > 1:
                    self._add(found, run, settings_of(run.config), run.config.get("seed"), {}, view, kept, failed)
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
                self._add(found, store.run(line.run_id), settings, line.seed, line.result, view, kept, failed)
            except StoreError:
                found.points.append(Point(settings, line.seed, quantities.finite(line.result)))
        return found

    def _add(
        self, found: Found, run: Run, settings: dict[str, Any], seed: Any, result: Mapping[str, Any],
        view: Mapping[str, Any], kept: Measured | None, failed: Mapping[str, str],
    ) -> None:  # fmt: skip
        """One run as a point; what is not measured yet is noted as missing."""
        quantity = view["quantity"]
        numbers = dict(result) or self._at_the_end(run)
        kind, _, layer = quantity.partition(" ")
        if layer and kind in quantities.OF_LAYERS:
            numbers[quantity] = self._recorded.layer_at_the_end(run, kind, layer)
        if kept is not None and finals.is_measured(quantity):
            question = finals.asked_about(run, quantity, view)
            known = None if question is None else kept.get(question)
            found.measurable += question is not None
            try:
                if known is not None:
                    numbers[quantity] = finals.number_in(known, quantity, view)
                elif question is not None and question.key in failed:
                    raise ValueError(failed[question.key])
                elif question is not None:
                    found.missing.append(question)
            except ValueError as problem:
                found.problems[str(problem)] = None
        found.layers |= dict.fromkeys(info.name for info in run.layers)
        found.runs.append(run.id)
        found.points.append(Point(settings, seed, quantities.finite(numbers)))

    def _at_the_end(self, run: Run) -> dict[str, Any]:
        """The summary of a run that belongs to no experiment."""
        _, metrics = self._recorded.curves(run)
        last = {"accuracy": "val/accuracy", "loss": "val/loss", "train_accuracy": "train/accuracy"}
        return {name: float(metrics[key][-1]) for name, key in last.items() if len(metrics.get(key, ()))}


def answer(store: Store, view: Mapping[str, Any], theme: Any, found: Found) -> dict[str, Any]:
    """Figures, words and choices as the page takes them."""
    points, varied = found.points, varied_settings(found.points)
    wanted = [name for name in found.asked if name in varied] + varied
    setting = view["setting"] if view["setting"] in varied else next(iter(wanted), "")
    others = [name for name in varied if name != setting]
    split = view["split"] if view["split"] in others else ""
    if not view["split"] and setting == next(iter(wanted), ""):
        # A sweep of two settings is read as lines of one against the other.
        split = next((name for name in found.asked if name in others and name != "point"), "")
    known = known_quantities(points, list(found.layers))
    names = [name for name, *_ in known]
    quantity = view["quantity"] if view["quantity"] in names else next(iter(names), "accuracy")
    drawn, numeric = grouped(points, setting, split, quantity)
    values = [x for one in drawn for x in one.x] if numeric else []
    look = lab.Look(
        x=setting_words(setting), y=quantities.words(quantity, view), y_percent=quantities.is_share(quantity),
        x_categories=not numeric, x_log=bool(values) and min(values) > 0 and max(values) / min(values) >= 10,
        empty=why_empty(found),
    )  # fmt: skip
    each = single_runs(points, setting, split, quantity, drawn)
    return {
        "settled": {"exp": found.exp},
        "runs": found.runs,
        # So many networks of so many are measured.
        "measured": [found.measurable - len(found.missing), found.measurable],
        "controls": list(finals.sets(quantity)),
        "options": {
            "exp": [*([name, text] for name, text in listed(store)), [EVERYTHING, "all runs of this folder"]],
            "quantity": known,
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
            "sweep-finding": finding(drawn, setting, split, quantity, view),
            "sweep-sub": told_of(found, setting, split, others, quantity, view),
            **_big(drawn, setting, split, quantity, view),
        },
        "lists": {},
    }  # fmt: skip


def why_empty(found: Found) -> str:
    """What to say in place of a figure without a point."""
    if not found.points:
        return "nothing finished yet"
    if found.missing:
        return "measuring …"
    if found.problems:
        return "cannot be measured: the line above says why"
    return "no setting differs between these runs"


def asked_of(described: Described) -> list[str]:
    """What an experiment itself varies, the first of it first."""
    plan = described.experiment.plan
    if not isinstance(plan, Sweep):
        return ["arm"] if described.experiment.kind not in arms.REMOVING else ["level", "arm"]
    return [*(["point"] if plan.points else []), *plan.grid]


def known_quantities(points: Sequence[Point], layers: Sequence[str]) -> list[list[str]]:
    """[quantity, words, heading] of all that can be shown of these runs."""
    found = {name for point in points for name in point.numbers}
    told = [[name, quantities.words(name), "of the run"] for name in quantities.NAMES if name in found]
    for layer in layers:
        told += [[f"{kind} {layer}", quantities.words(f"{kind} {layer}"), layer] for kind in quantities.OF_LAYERS]
    measured = finals.offered(list(layers)) if points else []
    told += [[name, quantities.words(name), f"{heading}, measured"] for name, heading in measured]
    return told


def told_of(
    found: Found, setting: str, split: str, others: Sequence[str], quantity: str, view: Mapping[str, Any]
) -> str:
    """The grey line: which runs, how they are measured, and in what else those at one point differ."""
    told = [found.title, f"{len(found.points)} of {found.planned} runs"]
    if found.left:
        told.append(f"about {found.left} left")
    if found.measurable:
        if "crit" in finals.sets(quantity):
            told.append(f"{criterion_words(view['crit'])}, no retraining")
        done = found.measurable - len(found.missing)
        told += [f"measured {done} of {found.measurable}"] if found.missing else []
        told += list(found.problems)[:1]
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


def finding(drawn: Sequence[lab.Series], setting: str, split: str, quantity: str, view: Mapping[str, Any]) -> str:
    """Between which values the quantity lies, and whether seeds alone would explain it."""
    ends = ends_of(drawn, setting, split)
    if not setting or len(ends) < 2:
        return "Nothing to compare yet: a sweep needs finished runs that differ in a setting."
    high, low = max(ends, key=lambda end: end.mean), min(ends, key=lambda end: end.mean)
    words = quantities.words(quantity, view)
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


def _big(
    drawn: Sequence[lab.Series], setting: str, split: str, quantity: str, view: Mapping[str, Any]
) -> dict[str, str]:
    ends = ends_of(drawn, setting, split)
    if not ends:
        return quantities.no_readout("sweep")
    best = max(ends, key=lambda end: end.mean)
    note = f"highest {quantities.words(quantity, view)} · {best.at}"
    return quantities.readout("sweep", quantity, best.mean, best.sd, best.n, note)
