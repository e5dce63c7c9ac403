"""Finished runs as points: what each was asked, what came of it, and how points make lines."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from prunescope.app.feeds import arms
from prunescope.app.figures import lab
from prunescope.engine.config import field_specs
from prunescope.engine.experiments.summary import config_differences, spread

# What tells replicates from each other, and nothing else.
REPLICATE = ("seed", "name")
# Where a run finds things and how it is kept: they can differ between any two runs, and seldom are what was asked.
HOUSEKEEPING = ("data_dir", "download", "device", "threads", "min_epoch_seconds", "checkpoint_every", "durable")
BEYOND = ("arm", "point", "level", "remaining")
BESIDE = {"level": "round or level", "point": "point of the sweep", "remaining": "weights remaining"}


class Point(NamedTuple):
    """One finished run: what it was asked, and what came of it."""

    settings: dict[str, Any]
    seed: Any
    numbers: dict[str, float]


def varied_settings(points: Sequence[Point]) -> list[str]:
    """Settings that take several values, in their own order; arm, level and what remains last, then housekeeping."""
    differing = config_differences([point.settings for point in points])
    found = [name for name in differing if name not in REPLICATE]
    last = [name for name in (*BEYOND, *HOUSEKEEPING) if name in found]
    return [*(name for name in found if name not in last), *last]


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
        return plain_value(value[0]) if len(value) == 1 else ", ".join(map(str, value)) or "–"
    if value is None:
        return "not set"
    if isinstance(value, bool):
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
                name=line_words(split, line) if split else "mean",
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
