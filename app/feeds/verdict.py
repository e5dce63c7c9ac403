"""What an experiment in which something is removed has shown, in one sentence and one number."""

from collections.abc import Mapping, Sequence

import numpy as np
from prunescope.app.experiments import duration
from prunescope.app.feeds import quantities
from prunescope.app.feeds.arms import chain_of, words_of
from prunescope.engine.experiments.cells import DENSE
from prunescope.engine.experiments.summary import Group, Line, Spread, Summary, spread

POINT = 0.01
Table = Mapping[tuple[str, float], Mapping[str, Spread]]


def words(summary: Summary, paper: str, chain: str, level: float | None, quantity: str) -> dict[str, str]:
    """The finding, the grey line and the big number."""
    counts = summary.counts
    told = [summary.title, f"{counts['done']} of {sum(counts.values())} runs", summary.state]
    if summary.state == "working" and (left := duration(summary.seconds_left)):
        told.append(f"about {left} left")
    if counts["failed"]:
        told.append(f"{counts['failed']} failed")
    groups = [group for group in summary.groups if group.arm == chain and quantity in group.values]
    shown = next((group for group in groups if group.level == level), groups[-1] if groups else None)
    return {
        "tickets-finding": finding(summary),
        "tickets-sub": " · ".join([*told, *([paper] if paper else [])]),
        **_big(summary, shown, quantity),
    }


def _big(summary: Summary, group: Group | None, quantity: str) -> dict[str, str]:
    if group is None:
        return quantities.no_readout("tickets", "no round is finished yet")
    value = group.values[quantity]
    note = f"{quantities.words(quantity)} · {words_of(group.arm, summary.kind)}, {group.label}"
    if "remaining" in group.values:
        note += f" · {100 * group.values['remaining'].mean:.3g} % of the weights"
    return quantities.readout("tickets", quantity, *value, note)


def finding(summary: Summary) -> str:
    """One sentence on what was asked, for each kind of experiment."""
    table = {(group.arm, group.level): group.values for group in summary.groups if "accuracy" in group.values}
    arms = list(dict.fromkeys(line.arm for line in summary.lines))
    if summary.kind == "schedule":
        return _when(table)
    if "largest" in arms or "smallest" in arms:
        return _which_first(summary)
    return _how_small(summary, table, chain_of(arms))


def _when(table: Table) -> str:
    """The seed author's schedule: at which time pruning costs least."""
    dense = table.get((DENSE, 0.0))
    copies = {level: values["accuracy"] for (arm, level), values in table.items() if arm == "pruned"}
    if dense is None or not copies:
        return "No copy is finished yet."
    best = max(copies, key=lambda level: copies[level].mean)
    gap = copies[best].mean - dense["accuracy"].mean
    told = f"Copies pruned at epoch {best:g} end best ({quantities.shown(copies[best].mean, 'accuracy')}), "
    told += f"{_apart(gap)} the network that was never pruned"
    chance = table.get(("random at init", 0.0))
    if chance is not None:
        told += f" and {_apart(copies[best].mean - chance['accuracy'].mean)} one that lost random units at the start"
    return f"{told}{_few(copies[best].n)}."


def _which_first(summary: Summary) -> str:
    """Li et al.: the order in which filters go, averaged over ratios and layers that all of them have."""
    found: dict[str, list[tuple[float, float]]] = {}
    arms = ("smallest", "random", "largest")
    by_label: dict[str, dict[str, Mapping[str, Spread]]] = {}
    for group in summary.groups:
        if group.arm in arms and "accuracy" in group.values:
            by_label.setdefault(group.label, {})[group.arm] = group.values
    there = [arm for arm in arms if any(arm in some for some in by_label.values())]
    whole = [some for some in by_label.values() if all(arm in some for arm in there)]
    for arm in there if whole else ():
        found[arm] = [(some[arm]["accuracy"].mean, some[arm]["first_accuracy"].mean) for some in whole]
    if not found:
        return "No pruned network is finished yet."
    means = {arm: np.mean(values, axis=0) for arm, values in found.items()}
    ranked = sorted(means, key=lambda arm: -means[arm][0])
    parts = [f"{arm} first {quantities.shown(means[arm][0], 'accuracy')}" for arm in ranked]
    before = ", ".join(quantities.shown(means[arm][1], "accuracy") for arm in ranked)
    n = next(iter(whole[0].values()))["accuracy"].n
    told = f"Mean accuracy after retraining: {', '.join(parts)}; before it: {before}"
    return f"{told}{_few(n)}."


def _how_small(summary: Summary, table: Table, chain: str) -> str:
    """How small the network may be, and whether its own initialisation matters there."""
    dense = table.get((DENSE, 0.0))
    levels = sorted(level for arm, level in table if arm == chain and "remaining" in table[arm, level])
    if dense is None or not levels:
        return "No round is finished yet."
    match = None
    for level in sorted(levels, key=lambda level: -table[chain, level]["remaining"].mean):
        if table[chain, level]["accuracy"].mean < dense["accuracy"].mean - POINT:
            break
        match = level
    noun = {"ticket": "tickets", "iterative": "networks pruned while they train", "han": "networks pruned by quality"}
    named = noun.get(chain, f"networks “{words_of(chain, summary.kind)}”")
    if match is None:
        told = f"No {named} stay within one point of the dense network"
    else:
        left = 100 * table[chain, match]["remaining"].mean
        told = f"{named[0].upper()}{named[1:]} stay within one point of the dense network down to {left:.3g} % of the "
        told += "weights"
    control = "scratch-e" if chain == "fine-tune" else "reinit"
    lead = lead_of(summary.lines, chain, control)
    return f"{told}{'; ' + lead if lead else ''}{_few(dense['accuracy'].n)}."


def lead_of(lines: Sequence[Line], arm: str, control: str) -> str:
    """Where the arm is first clearly ahead of a control: by a point, and by twice what seeds alone do.

    Not at the last level in any case: there both may be at chance.
    """
    done = {(line.arm, line.level, line.seed): line.result for line in lines if line.state == "done"}
    other = {"reinit": "a fresh initialisation", "scratch-e": "training from scratch"}[control]
    both = False
    for level in sorted({level for name, level, _ in done if name == arm}):
        seeds = [seed for name, at, seed in done if (name, at) == (arm, level) and (control, level, seed) in done]
        if not seeds:
            continue
        both = True
        gap = spread([done[arm, level, s]["accuracy"] - done[control, level, s]["accuracy"] for s in seeds])
        if gap.mean >= POINT and (gap.n == 1 or gap.mean > 2 * gap.sd):
            left = 100 * float(np.mean([done[arm, level, seed]["remaining"] for seed in seeds]))
            more = f" ± {100 * gap.sd:.1f}" if gap.n > 1 else ""
            return f"{other} is first clearly behind at {left:.3g} %, by {100 * gap.mean:.1f}{more} points"
    return f"{other} is nowhere clearly behind" if both else ""


def _apart(gap: float) -> str:
    if abs(gap) < 0.0005:  # it would be written as 0.0 points
        return "level with"
    return f"{abs(100 * gap):.1f} points {'ahead of' if gap >= 0 else 'behind'}"


def _few(n: int) -> str:
    return " (n=1)" if n == 1 else ""
