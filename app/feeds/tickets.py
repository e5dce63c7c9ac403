"""An experiment in which something is removed: accuracy vs what remains, by arm, with its spread over seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from prunescope.app.experiments import chosen, duration, listed
from prunescope.app.feeds.recorded import Recorded
from prunescope.app.figures import lab
from prunescope.engine.experiments.cells import DENSE
from prunescope.engine.experiments.folder import Described
from prunescope.engine.experiments.summary import Group, Line, Summary, mask_overlap, masks_of, spread, summarise
from prunescope.engine.store import Store, StoreError

# Arms keep their colour whichever of them an experiment has; controls of chance are grey.
ARMS = ("ticket", "reinit", "one-per-cluster", "transfer", "pruned", "iterative", "smallest", "largest", "fine-tune")
GREY = (DENSE, "random", "random at init")
ARM_WORDS = {"reinit": "fresh initialisation", "random": "random mask", "one-per-cluster": "one per cluster"}
QUANTITIES = {
    "accuracy": "accuracy",
    "best_accuracy": "best accuracy",
    "early_stop_accuracy": "accuracy at early stop",
    "early_stop_iteration": "iteration of early stop",
    "loss": "validation loss",
    "train_accuracy": "training accuracy",
    "first_accuracy": "accuracy before training",
    "macs": "multiply-adds",
}
POINT = 0.01
NOTHING = "nothing finished yet"


class TicketsFeed:
    """Everything that the page of an experiment shows, in two answers: the table first, then what needs weights."""

    whole = True
    keys = ("exp", "quantity", "level")

    def __init__(self) -> None:
        self._recorded = Recorded()

    def look(self, store: Store, view: Mapping[str, Any], theme: Any) -> Iterator[dict[str, Any]]:
        described = chosen(store, view["exp"])
        summary = summarise(store, described)
        arms = arms_of(summary)
        chain = chain_of(arms)
        levels = levels_of(summary, chain)
        level = level_of(view["level"], levels)
        quantity = view["quantity"] if view["quantity"] in known_quantities(summary) else "accuracy"
        percent = "accuracy" in quantity
        drawn = [series(summary, arm, arms, quantity) for arm in arms if arm != DENSE]
        drawn = [one for one in drawn if len(one.x) > 1] or [series(summary, DENSE, arms, quantity)]
        drawn = [one for one in drawn if len(one.x)]
        remaining = {"x": remaining_words(summary), "x_percent": True, "x_log": True}
        stops = [series(summary, arm, arms, "early_stop_iteration") for arm in arms if arm != DENSE]
        answer = {
            "settled": {"exp": described.id},
            "options": {
                "exp": [list(pair) for pair in listed(store)],
                "quantity": [[name, QUANTITIES.get(name, name)] for name in known_quantities(summary)],
                "level": [["", "last finished"], *([f"{value:g}", label] for value, label in levels)],
            },
            "figures": {
                "ticket-accuracy": lab.with_spread(
                    theme,
                    drawn,
                    lab.Look(y=QUANTITIES.get(quantity, quantity), y_percent=percent, empty=NOTHING, **remaining),
                ),
                "ticket-curves": self._curves(store, summary, chain, theme),
                "ticket-stop": lab.with_spread(
                    theme,
                    [one for one in stops if len(one.x)],
                    lab.Look(y="iteration", empty=NOTHING, low=True, right=True, **remaining),
                ),
            },
            "texts": words(summary, described, chain, level, quantity),
            "lists": {},
        }
        yield answer
        answer["figures"] |= {
            "ticket-units": self._survivors(store, summary, chain, theme),
            "ticket-overlap": self._overlap(store, summary, chain, levels, theme),
        }
        yield answer

    def _curves(self, store: Store, summary: Summary, arm: str, theme: Any) -> dict[str, Any]:
        lines = []
        for label, members in by_level(summary, arm):
            held = [self._recorded.curves(run) for run in _runs(store, members)]
            held = [(epochs, metrics["val/accuracy"]) for epochs, metrics in held if "val/accuracy" in metrics]
            length = min((len(values) for _, values in held), default=0)
            if length > 1:
                mean = np.mean([values[:length] for _, values in held], axis=0)
                lines.append((f"{label} · n={len(held)}", held[0][0][:length].tolist(), mean.tolist()))
        return lab.curves(theme, lines, y="accuracy", percent=True, empty="no run has begun yet")

    def _survivors(self, store: Store, summary: Summary, arm: str, theme: Any) -> dict[str, Any]:
        points, empty = [], "needs a finished round"
        dense = {line.seed: line for line in summary.lines if line.arm == DENSE and line.state == "done"}
        layer = ""
        for seed, root in sorted(dense.items()):
            rounds = [line for line in summary.lines if (line.arm, line.seed, line.state) == (arm, seed, "done")]
            if arm == DENSE or not rounds:
                continue
            try:
                run = store.run(root.run_id)
                layer = layer or run.layers[0].name
                early = float(run.epochs[min(1, len(run.epochs) - 1)])
                angles = self._recorded.angles(run, layer, early)
                kept = [share_kept(masks_of(child), layer, len(angles)) for child in _runs(store, rounds)]
            except (StoreError, OSError, IndexError) as error:
                empty = str(error)[:80]
                continue
            kept = [share for share in kept if share is not None]
            if kept:
                points.append((f"seed {seed}", angles.tolist(), np.mean(kept, axis=0).tolist()))
        return lab.survivors(theme, points, association(layer, points), empty)

    def _overlap(
        self, store: Store, summary: Summary, arm: str, levels: Sequence[tuple[float, str]], theme: Any
    ) -> dict[str, Any]:
        found: dict[str, list[tuple[float, Any]]] = {}
        for group in summary.groups:
            if group.arm != arm or arm == DENSE or "remaining" not in group.values:
                continue
            try:
                overlaps = mask_overlap(store, summary.lines, arm, group.level)
            except (StoreError, OSError):
                continue
            for name, value in overlaps.items():
                # A unit's bias goes with its weights: it would draw the same line once more.
                if np.isfinite(value.mean) and not name.endswith(".bias"):
                    found.setdefault(name, []).append((group.values["remaining"].mean, value))
        drawn = []
        for i, (name, places) in enumerate(found.items()):
            x, pairs = [place for place, _ in places], [value.n_pairs for _, value in places]
            blank = [np.nan] * len(x)
            mean, chance = [value.mean for _, value in places], [value.expected for _, value in places]
            drawn.append(lab.Series(name=name.removesuffix(".weight"), x=x, mean=mean, sd=blank, n=pairs, colour=i))
            drawn.append(lab.Series(name=f"{name.removesuffix('.weight')} by chance", x=x, mean=chance, sd=blank,
                                    n=pairs, colour=-1, dash=2))  # fmt: skip
        named = [one for one in drawn if one.colour >= 0]
        look = lab.Look(
            x=remaining_words(summary), y="shared by two seeds", x_percent=True, x_log=True, y_percent=True,
            empty="needs two finished seeds", low=True, right=True, more={"rangemode": "tozero"},
        )  # fmt: skip
        figure = lab.with_spread(theme, drawn, look)
        shown = lab.with_spread(theme, named, look)["layout"]["annotations"]
        for note in shown:
            note["text"] = note["text"].replace("n=", "pairs ")
        figure["layout"]["annotations"] = shown
        return figure


def arms_of(summary: Summary) -> list[str]:
    return list(dict.fromkeys(line.arm for line in summary.lines))


def chain_of(arms: Sequence[str]) -> str:
    """The arm that the page is about: the tickets where there are some, else the first that is not the dense net."""
    return "ticket" if "ticket" in arms else next((arm for arm in arms if arm != DENSE), DENSE)


def known_quantities(summary: Summary) -> list[str]:
    found = dict.fromkeys(name for group in summary.groups for name in group.values)
    return [name for name in QUANTITIES if name in found] or ["accuracy"]


def levels_of(summary: Summary, arm: str) -> list[tuple[float, str]]:
    return [(group.level, group.label) for group in summary.groups if group.arm == arm]


def level_of(asked: str, levels: Sequence[tuple[float, str]]) -> float | None:
    """The level that a link names; None is the last finished one."""
    return next((value for value, _ in levels if f"{value:g}" == asked), None)


def series(summary: Summary, arm: str, arms: Sequence[str], quantity: str) -> lab.Series:
    """One arm by falling remaining; the dense net first, where every arm begins."""
    chosen_groups = [
        group
        for group in summary.groups
        if group.arm in (arm, DENSE) and quantity in group.values and "remaining" in group.values
    ]
    chosen_groups.sort(key=lambda group: -group.values["remaining"].mean)
    values = [group.values[quantity] for group in chosen_groups]
    others = [name for name in arms if name not in ARMS and name not in GREY]
    place = ARMS.index(arm) if arm in ARMS else len(ARMS) + others.index(arm) if arm in others else -1
    return lab.Series(
        name=ARM_WORDS.get(arm, arm),
        x=[group.values["remaining"].mean for group in chosen_groups],
        mean=[value.mean for value in values],
        sd=[value.sd for value in values],
        n=[value.n for value in values],
        colour=place,
        dash=0 if arm == "ticket" else 1 + max(place, 0) % 4,
    )


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


def _runs(store: Store, lines: Sequence[Line]) -> list[Any]:
    found = []
    for line in lines:
        try:
            found.append(store.run(line.run_id))
        except StoreError:
            continue
    return found


def share_kept(masks: Mapping[str, np.ndarray], layer: str, units: int) -> np.ndarray | None:
    """(units,) share of each unit's incoming weights that a mask keeps; None where there is no mask for them."""
    mask = masks.get(f"{layer}.weight")
    if mask is None:
        mask = masks.get(layer)
    if mask is None or len(mask) != units:
        return None
    return np.asarray(mask, bool).reshape(units, -1).mean(axis=1)


def association(layer: str, points: Sequence[tuple[str, Any, Any]]) -> str:
    """Spearman's rank correlation, averaged over seeds: pooled, differences between seeds would pass for one."""
    # On first use: the dashboard must be up before it is needed.
    from scipy.stats import spearmanr

    found = []
    for _, angles, kept in points:
        known = np.isfinite(angles)
        x, y = np.asarray(angles)[known], np.asarray(kept)[known]
        if len(x) > 2 and np.ptp(x) > 0 and np.ptp(y) > 0:
            found.append(float(spearmanr(x, y).statistic))
    if not found:
        return layer
    sd = f" ± {np.std(found, ddof=1):.2f}" if len(found) > 1 else ""
    return f"{layer}: rank correlation {np.mean(found):+.2f}{sd}, n={len(found)}".replace("-", "\N{MINUS SIGN}")


def remaining_words(summary: Summary) -> str:
    whole = {line.result.get("structure") for line in summary.lines if line.result}
    return "weights remaining" + (" in the units that are left" if "units" in whole else "")


def words(
    summary: Summary, described: Described, chain: str, level: float | None, quantity: str
) -> dict[str, Any]:
    """The finding, the grey line and the big number."""
    counts = summary.counts
    total = sum(counts.values())
    told = [summary.title, f"{counts['done']} of {total} runs", summary.state]
    if summary.state == "working" and (left := duration(summary.seconds_left)):
        told.append(f"about {left} left")
    if counts["failed"]:
        told.append(f"{counts['failed']} failed")
    paper = described.experiment.paper
    chain_groups = [group for group in summary.groups if group.arm == chain and quantity in group.values]
    shown = next((group for group in chain_groups if group.level == level), chain_groups[-1] if chain_groups else None)
    return {
        "tickets-finding": finding(summary, chain),
        "tickets-sub": " · ".join([*told, *([paper] if paper else [])]),
        **_big(shown, quantity),
    }


def _big(group: Group | None, quantity: str) -> dict[str, str]:
    if group is None:
        return {"tickets-big": "–", "tickets-big-error": "", "tickets-big-note": "no round is finished yet"}
    value = group.values[quantity]
    percent = "accuracy" in quantity
    scale, digits = (100, 1) if percent else (1, 3 if abs(value.mean) < 10 else 0)
    mean = f"{scale * value.mean:.{digits}f}{' %' if percent else ''}"
    error = "n=1" if value.n == 1 else f"± {scale * value.sd:.{digits}f}, n={value.n}"
    left = group.values["remaining"].mean if "remaining" in group.values else 1.0
    note = f"{QUANTITIES.get(quantity, quantity)} · {ARM_WORDS.get(group.arm, group.arm)}, {group.label}"
    return {
        "tickets-big": mean,
        "tickets-big-error": error,
        "tickets-big-note": f"{note} · {100 * left:.3g} % of the weights",
    }


def finding(summary: Summary, chain: str) -> str:
    """One sentence: how small the network may be, and whether its own initialisation matters there."""
    table = {(group.arm, group.level): group.values for group in summary.groups if "accuracy" in group.values}
    dense = table.get((DENSE, 0.0))
    levels = sorted(level for arm, level in table if arm == chain and "remaining" in table[arm, level])
    if dense is None or chain == DENSE or not levels:
        waiting = "No round is finished yet."
        return waiting if chain != DENSE else "Nothing is removed here: the Sweep page shows this experiment."
    match = None
    for level in sorted(levels, key=lambda level: -table[chain, level]["remaining"].mean):
        if table[chain, level]["accuracy"].mean < dense["accuracy"].mean - POINT:
            break
        match = level
    noun = "tickets" if chain == "ticket" else f"“{ARM_WORDS.get(chain, chain)}”"
    told = f"No {noun} stay" if chain == "ticket" else f"{noun} does not stay"
    if match is None:
        told += " within one point of the dense network"
    else:
        stay = f"{noun[0].upper()}{noun[1:]} stay{'' if chain == 'ticket' else 's'}"
        left = 100 * table[chain, match]["remaining"].mean
        told = f"{stay} within one point of the dense network down to {left:.3g} % of the weights"
    lead = lead_of(summary.lines, chain, "reinit", beyond=match)
    return f"{told}{'; ' + lead if lead else ''}{_few(dense['accuracy'].n)}."


def _few(n: int) -> str:
    return " (n=1)" if n == 1 else ""


def lead_of(lines: Sequence[Line], arm: str, control: str, beyond: float | None) -> str:
    """The arm against a control, seed by seed, at the first level that both have after ``beyond``, else at their last.

    Not at the last in any case: there both may be at chance.
    """
    done = {(line.arm, line.level, line.seed): line.result for line in lines if line.state == "done"}
    seeds = {
        level: [seed for name, at, seed in done if (name, at) == (arm, level) and (control, level, seed) in done]
        for level in sorted({level for name, level, _ in done if name == arm})
    }
    both = [level for level, some in seeds.items() if some]
    if not both:
        return ""
    level = next((one for one in both if beyond is None or one > beyond), both[-1])
    gap = spread([done[arm, level, s]["accuracy"] - done[control, level, s]["accuracy"] for s in seeds[level]])
    left = 100 * float(np.mean([done[arm, level, seed]["remaining"] for seed in seeds[level]]))
    more = f" ± {100 * gap.sd:.1f}" if gap.n > 1 else ""
    side = "ahead of" if gap.mean >= 0 else "behind"
    return f"at {left:.3g} % they are {abs(100 * gap.mean):.1f}{more} points {side} a {ARM_WORDS.get(control, control)}"
