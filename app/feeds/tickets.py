"""An experiment in which something is removed: accuracy vs what remains, by arm, with its spread over seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from prunescope.app.experiments import NothingYet, chosen, listed, of_run
from prunescope.app.feeds import quantities
from prunescope.app.feeds.arms import REMOVING, along, arms_of, by_level, chain_of, series, share_kept
from prunescope.app.feeds.recorded import Recorded
from prunescope.app.feeds.verdict import words
from prunescope.app.figures import lab
from prunescope.engine.experiments.cells import DENSE
from prunescope.engine.experiments.summary import Line, Summary, mask_overlap, masks_of, summarise
from prunescope.engine.store import Run, Store, StoreError

SHOWN = (
    "accuracy", "best_accuracy", "early_stop_accuracy", "early_stop_iteration", "loss", "train_accuracy",
    "first_accuracy", "macs",
)  # fmt: skip
NOTHING = "nothing finished yet"


class TicketsFeed:
    """Everything that the page of an experiment shows, in two answers: the table first, then what needs weights."""

    whole = True
    keys = ("run", "exp", "quantity", "level")

    def __init__(self) -> None:
        self._recorded = Recorded()

    def look(self, store: Store, view: Mapping[str, Any], theme: Any) -> Iterator[dict[str, Any]]:
        described = chosen(store, view["exp"] or of_run(store, view["run"], REMOVING), REMOVING)
        summary = summarise(store, described)
        if summary.kind not in REMOVING:
            raise NothingYet("Nothing is removed in this experiment. The Sweep page shows it.")
        chain, axis = chain_of(arms_of(summary)), along(summary)
        levels = [(group.level, group.label) for group in summary.groups if group.arm == chain]
        # The level that a link names; None is the last finished one.
        level = next((value for value, _ in levels if f"{value:g}" == view["level"]), None)
        known = known_quantities(summary)
        quantity = view["quantity"] if view["quantity"] in known else "accuracy"
        percent = quantities.is_share(quantity)
        answer = {
            "settled": {"exp": described.id},
            "runs": [line.run_id for line in summary.lines if line.state == "done"],
            "options": {
                "exp": [list(pair) for pair in listed(store, REMOVING)],
                "quantity": [[name, quantities.words(name)] for name in known],
                "level": [["", "last finished"], *([f"{value:g}", label] for value, label in levels)],
            },
            "figures": {
                "ticket-accuracy": lab.with_spread(
                    theme,
                    series(summary, quantity),
                    lab.Look(y=quantities.words(quantity), y_percent=percent, empty=NOTHING, **axis.look),
                ),
                "ticket-curves": self._curves(store, summary, chain, theme),
                "ticket-stop": lab.with_spread(
                    theme,
                    series(summary, "early_stop_iteration"),
                    lab.Look(y="iteration", empty=NOTHING, low=True, more={"rangemode": "tozero"}, **axis.look),
                ),
            },
            "texts": words(summary, described.experiment.paper, chain, level, quantity),
            "lists": {},
        }
        yield answer
        answer["figures"] |= {
            "ticket-units": self._survivors(store, summary, chain, theme),
            "ticket-overlap": self._overlap(store, summary, chain, theme),
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
                kept = [self._kept(child, layer, len(angles)) for child in _runs(store, rounds)]
            except (StoreError, OSError, IndexError) as error:
                empty = str(error)[:80]
                continue
            kept = [share for share in kept if share is not None]
            if kept:
                points.append((f"seed {seed}", angles.tolist(), np.mean(kept, axis=0).tolist()))
            else:
                empty = "these runs began without a mask"
        return lab.survivors(theme, points, association(layer, points), empty)

    def _kept(self, run: Run, layer: str, units: int) -> np.ndarray | None:
        """Read once a run: a page that follows a queue asks again with every run that ends."""
        key = ("kept", str(run.path), run.created, layer, units)
        return self._recorded.once(key, lambda: share_kept(masks_of(run), layer, units))

    def _overlap(self, store: Store, summary: Summary, arm: str, theme: Any) -> dict[str, Any]:
        axis = along(summary)
        found: dict[str, list[tuple[float, Any]]] = {}
        for group in summary.groups:
            place = axis.place(group)
            if group.arm != arm or arm == DENSE or place is None:
                continue
            try:
                done = [line.run_id for line in summary.lines if (line.arm, line.level, line.state) == (arm, group.level, "done")]
                overlaps = self._recorded.once(
                    ("overlap", str(store.root), *done),
                    lambda level=group.level: mask_overlap(store, summary.lines, arm, level),
                )
            except (StoreError, OSError):
                continue
            for name, value in overlaps.items():
                # A unit's bias goes with its weights: it would draw the same line once more.
                if np.isfinite(value.mean) and not name.endswith(".bias"):
                    found.setdefault(name, []).append((place, value))
        drawn, chance = [], []
        for i, (name, places) in enumerate(found.items()):
            x, pairs = [place for place, _ in places], [value.n_pairs for _, value in places]
            one = lab.Series(
                name=name.removesuffix(".weight"), x=x, mean=[value.mean for _, value in places],
                sd=[np.nan] * len(x), n=pairs, colour=i, counted="pairs",
            )  # fmt: skip
            drawn.append(one)
            expected = [value.expected for _, value in places]
            quiet = replace(one, name=f"{one.name} by chance", colour=-1, dash=2, labelled=False, points=False)
            chance.append(replace(quiet, mean=expected))
        look = lab.Look(
            y="shared by two seeds", y_percent=True, empty="needs two finished seeds", low=True,
            more={"rangemode": "tozero"}, **axis.look,
        )  # fmt: skip
        return lab.with_spread(theme, [*chance, *drawn], look)


def known_quantities(summary: Summary) -> list[str]:
    found = dict.fromkeys(name for group in summary.groups for name in group.values)
    return [name for name in SHOWN if name in found] or ["accuracy"]


def _runs(store: Store, lines: Sequence[Line]) -> list[Any]:
    found = []
    for line in lines:
        try:
            found.append(store.run(line.run_id))
        except StoreError:
            continue
    return found


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
