"""The lines of an experiment in which something is removed: which there are, along what, in which colour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from prunescope.app.figures import lab
from prunescope.app.figures.theme import SYMBOLS
from prunescope.engine.experiments.cells import DENSE
from prunescope.engine.experiments.summary import Group, Line, Summary

# Arms keep their colour whichever of them an experiment has; controls of chance are grey.
COLOURED = (
    "ticket", "reinit", "one-per-cluster", "transfer", "pruned", "iterative", "smallest", "largest", "fine-tune", "han",
    "scratch-e", "scratch-b",
)  # fmt: skip
GREY = (DENSE, "random", "random at init", "dense-target")
WORDS = {
    "reinit": "fresh initialisation", "random": "random mask", "one-per-cluster": "one per cluster",
    "dense-target": "dense in the target", "pruned": "pruned and trained on", "smallest": "smallest first",
    "largest": "largest first", "scratch-e": "from scratch, same epochs", "scratch-b": "from scratch, same budget",
    "fine-tune": "fine-tuned", "han": "by quality",
}  # fmt: skip
# Li's arms are named as the ticket's control is, and mean units drawn at random.
LI_WORDS = {"random": "random first"}
# Kinds in which nothing is removed are for the Sweep page.
REMOVING = ("tickets", "schedule", "iterative", "retrain")


@dataclass(frozen=True, kw_only=True)
class Along:
    """What an experiment's lines run along.

    Attributes
    ----------
    number : the quantity of a group that is its place, "" where the level is
    words : at the axis
    percent, log : how the axis is drawn; log only from the whole net to the smallest
    """

    number: str
    words: str
    percent: bool = False
    log: bool = False

    def place(self, group: Group) -> float | None:
        """Where a group stands; None until one of its runs is finished."""
        if not self.number:
            return group.level
        found = group.values.get(self.number)
        return None if found is None else found.mean

    @property
    def look(self) -> dict[str, Any]:
        """As `lab.Look` takes it."""
        return {"x": self.words, "x_percent": self.percent, "x_log": self.log}


def along(summary: Summary) -> Along:
    """By what remains, but for copies that lose the same at other times, and for Li's one layer at a time."""
    arms = {line.arm for line in summary.lines}
    if summary.kind == "schedule":
        return Along(number="", words="epoch at which it was pruned")
    if arms & {"smallest", "largest"}:
        return Along(number="", words="removed of the layer's units" if one_layer(summary) else "removed", percent=True)
    units = "units" in {line.result.get("structure") for line in summary.lines if line.result}
    return Along(
        number="remaining", words="weights remaining" + (" in the units that are left" if units else ""),
        percent=True, log=True,
    )  # fmt: skip


def one_layer(summary: Summary) -> bool:
    """Whether layers are pruned one at a time: their names then stand in the labels."""
    return any(layer_of(group) for group in summary.groups)


def layer_of(group: Group) -> str:
    """Of Li's sensitivity, "conv1" of "conv1 0.5"; "" where all layers are pruned."""
    name, _, ratio = group.label.rpartition(" ")
    return name if group.arm in ("smallest", "largest", "random") and ratio == f"{group.level:g}" else ""


def arms_of(summary: Summary) -> list[str]:
    return list(dict.fromkeys(line.arm for line in summary.lines))


def chain_of(arms: Sequence[str]) -> str:
    """The arm that the page is about: the tickets where there are some, else what stands first among the others."""
    others = [arm for arm in arms if arm not in GREY]
    return next((arm for arm in COLOURED if arm in others), others[0] if others else DENSE)


def words_of(arm: str, kind: str = "") -> str:
    """An arm in words."""
    return (LI_WORDS.get(arm) if kind == "retrain" else None) or WORDS.get(arm, arm)


def colour_of(arm: str, arms: Sequence[str]) -> int:
    """Place of an arm's colour; -1 is the grey of controls."""
    others = [other for other in arms if other not in COLOURED and other not in GREY]
    return COLOURED.index(arm) if arm in COLOURED else len(COLOURED) + others.index(arm) if arm in others else -1


def series(summary: Summary, quantity: str) -> list[lab.Series]:
    """A line an arm (and layer, one at a time), in the order of the experiment; the dense net as its level.

    Where the axis is what remains, every arm that starts from the dense net begins there.
    """
    axis, arms = along(summary), arms_of(summary)
    layers = list(dict.fromkeys(map(layer_of, summary.groups)))
    drawn = []
    for arm in arms:
        if arm in (DENSE, "dense-target"):
            continue
        # Tickets that are carried to another task begin at the dense net of that task.
        whole = "dense-target" if "transfer" in arms and arm != "ticket" else DENSE
        groups = [group for group in summary.groups if group.arm == arm or (axis.log and group.arm == whole)]
        for layer in dict.fromkeys(layer_of(group) for group in groups):
            mine = [group for group in groups if layer_of(group) == layer]
            name = f"{layer}, {words_of(arm, summary.kind)}" if layer else words_of(arm, summary.kind)
            found = _line(axis, mine, quantity, name, arm, arms)
            if layer:  # the colour tells the order, dash and symbol the layer
                place = layers.index(layer) - ("" in layers)
                found = replace(found, dash=place, symbol=SYMBOLS[place % len(SYMBOLS)])
            if found.x and any(group.arm == arm and quantity in group.values for group in mine):
                drawn.append(found)
    if not axis.log:  # there it has no place of its own
        drawn += _level(summary, quantity, drawn)
    return drawn


def _line(
    axis: Along, groups: Sequence[Group], quantity: str, name: str, arm: str, arms: Sequence[str]
) -> lab.Series:
    placed = [(axis.place(group), group) for group in groups if quantity in group.values]
    known = sorted(((place, group) for place, group in placed if place is not None), key=lambda pair: pair[0])
    if axis.log:
        known.reverse()
    values = [group.values[quantity] for _, group in known]
    colour = colour_of(arm, arms)
    return lab.Series(
        name=name, x=[place for place, _ in known], mean=[value.mean for value in values],
        sd=[value.sd for value in values], n=[value.n for value in values], colour=colour,
        dash=0 if arm in ("ticket", "pruned") else 1 + max(colour, 0) % 4,
    )  # fmt: skip


def _level(summary: Summary, quantity: str, drawn: Sequence[lab.Series]) -> list[lab.Series]:
    """The dense net, to which nothing was done, as a line from end to end."""
    dense = next((g for g in summary.groups if g.arm == DENSE and quantity in g.values), None)
    if dense is None:
        return []
    places = [x for one in drawn for x in one.x] or [group.level for group in summary.groups]
    ends = [min(0.0, *places), max(places)]
    value = dense.values[quantity]
    both = {"mean": [value.mean] * 2, "sd": [value.sd] * 2, "n": [value.n] * 2}
    return [lab.Series(name=DENSE, x=ends, **both, colour=-1, dash=2, points=False)]


def by_level(summary: Summary, arm: str) -> Iterator[tuple[str, list[Line]]]:
    """The runs of the dense net, then those of an arm level by level; what has not begun is left out."""
    for wanted in dict.fromkeys((DENSE, arm)):
        for group in summary.groups:
            if group.arm == wanted:
                yield group.label, [
                    line
                    for line in summary.lines
                    if (line.arm, line.level, line.label) == (group.arm, group.level, group.label) and line.attempt
                ]


def share_kept(masks: Any, layer: str, units: int) -> np.ndarray | None:
    """(units,) share of each unit's incoming weights that a mask keeps; None where there is no mask for them."""
    mask = masks.get(f"{layer}.weight")
    if mask is None:
        mask = masks.get(layer)
    if mask is None or len(mask) != units:
        return None
    return np.asarray(mask, bool).reshape(units, -1).mean(axis=1)
