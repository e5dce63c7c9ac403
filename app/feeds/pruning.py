"""What can be removed? The measured curve of one layer, or all, at one epoch, refined until it is exact."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from prunescope.app.criteria import words
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds import joint
from prunescope.app.feeds.words import chosen_layer, epoch_text, percent, units
from prunescope.app.figures import pruning as figures
from prunescope.engine.pruning.criteria import CRITERIA
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.store import LayerInfo, Run

LOSS_STEPS = np.arange(0, 10.5, 0.5)
# As the engine's questions have it; the label says how many are still to come.
RANDOM_ROUNDS = 5
# A line from so many is within ± 6 points: enough to take the place of an older epoch's.
FAIR_EXAMPLES = 256


class Part:
    """One curve as far as it is measured."""

    def __init__(self, message: dict[str, Any]):
        self.order = np.asarray(message["order"])
        self.removed = np.asarray(message["removed"])
        self.correct = np.asarray(message["correct"])
        self.seen, self.total = int(message["seen"]), int(message["total"])
        self.units = int(message["units"])
        self.path = str(message["path"])
        # The order itself is an estimate still.
        self.provisional = bool(message.get("provisional"))

    @property
    def accuracy(self) -> np.ndarray:
        return self.correct / self.seen

    @property
    def at_every_level(self) -> bool:
        """Whether nothing between two levels is left to be measured, for one layer; all have 49 levels at most."""
        return len(self.removed) == self.units + 1 or len(self.order) == 0

    @property
    def exact(self) -> bool:
        return self.seen == self.total and self.at_every_level and not self.provisional

    def at(self, removed: np.ndarray) -> np.ndarray:
        """Accuracy at these levels; between those measured so far, on the straight line that is drawn there."""
        return np.interp(removed, self.removed, self.accuracy)


@dataclass(kw_only=True)
class Measured:
    """What is known of one layer at one epoch so far."""

    run: Run
    layer: LayerInfo
    where: str
    n_units: int
    criterion: str
    also: tuple[str, ...]
    epoch: float
    parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    sizes: dict[str, Any] | None = None

    @property
    def partial(self) -> bool:
        """Whether a line is missing, or rests on few examples: a whole picture is not given up for this one."""
        return not self.all_lines or any(part.seen < min(FAIR_EXAMPLES, part.total) for part in self.parts.values())

    @property
    def all_lines(self) -> bool:
        wanted = {self.criterion, reversed_name(self.criterion), *self.also}
        rounds = sum(name == "random" for name, _ in self.parts)
        return rounds == RANDOM_ROUNDS and wanted <= {name for name, _ in self.parts}

    def row(self) -> dict[str, Any]:
        """One row for the page."""
        main = self.parts[self.criterion, 0]
        removed, n_units = main.removed, self.n_units
        low, high = wilson_interval(main.correct, main.seen)
        rounds = [part.at(removed) for (name, _), part in self.parts.items() if name == "random"]
        share = removed / n_units
        dense = float(main.accuracy[0])
        noun = units(self.layer) if self.where == self.layer.name else "units"
        held = f"{main.total} held-out examples"
        certainty = "exact" if main.exact else f"estimate from {main.seen} of {main.total} examples"
        return {
            **self._lines(removed),
            **self._chance(rounds, len(removed)),
            **self._saved(removed),
            "share": share,
            "main": main.accuracy,
            "low": low,
            "high": high,
            "finding": self._findings(main, share, rounds),
            "sub": f"{self.run.name} · {self.where} · {epoch_text(self.epoch)} · {held} · {certainty}",
            "big": [f"{100 * value:.1f}" for value in main.accuracy],
            "big_error": [f"% ± {value:.1f}" for value in 50 * (high - low)],
            "note": [
                f"at {percent(m / n_units)} removed ({m} of {n_units} {noun}) · whole {100 * dense:.1f} % · "
                f"{epoch_text(self.epoch)}"
                for m in removed
            ],
            "exact": f"= exact, {main.total} examples" if main.exact else "",
            "estimate": "" if main.exact else f"≈ estimate, {main.seen} of {main.total}",
            "path": figures.PATH_WORDS.get(main.path, main.path),
            "label_main": words(self.criterion),
            "label_reverse": words(reversed_name(self.criterion)),
            "partial": float(self.partial),
        }

    def _lines(self, removed: np.ndarray) -> dict[str, Any]:
        lines = {"reverse": self._line(reversed_name(self.criterion), removed)}
        for i, name in enumerate(self.also):
            lines[f"also{i}"] = self._line(name, removed)
            lines[f"label_also{i}"] = words(name)
        return lines

    def _line(self, name: str, removed: np.ndarray) -> np.ndarray:
        part = self.parts.get((name, 0))
        return np.full(len(removed), np.nan) if part is None else part.at(removed)

    def _chance(self, rounds: list[np.ndarray], n: int) -> dict[str, Any]:
        if not rounds:
            blank = np.full(n, np.nan)
            return {"random": blank, "random_low": blank, "random_high": blank, "label_random": ""}
        mean = np.mean(rounds, axis=0)
        # One order has no spread: the band comes with the second.
        sd = np.std(rounds, axis=0, ddof=1) if len(rounds) > 1 else np.full(n, np.nan)
        told = f"random, {RANDOM_ROUNDS} draws"
        if len(rounds) < RANDOM_ROUNDS:
            told = f"random, {len(rounds)} of {RANDOM_ROUNDS} draws"
        return {"random": mean, "random_low": mean - sd, "random_high": mean + sd, "label_random": told}

    def _saved(self, removed: np.ndarray) -> dict[str, Any]:
        """Sizes are counted at some levels; between them they are linear in the units removed."""
        if self.sizes is None:
            blank = np.full(len(removed), np.nan)
            return {"share_params": blank, "share_macs": blank}
        at = self.sizes["removed"]
        return {
            f"share_{name}": 1 - np.interp(removed, at, self.sizes[name]) / self.sizes[name][0]
            for name in ("params", "macs")
        }

    def _findings(self, main: Part, share: np.ndarray, rounds: list[np.ndarray]) -> list[str]:
        mean = np.mean(rounds, axis=0) if rounds else np.full(len(share), np.nan)
        return [
            _finding(
                self.where,
                loss,
                removable(main.accuracy, share, loss / 100),
                removable(mean, share, loss / 100),
                main.exact,
            )
            for loss in LOSS_STEPS
        ]


class PruningFeed:
    """Answers about one epoch: each row takes the place of the one before, until it is exact."""

    answers = True
    keys = ("layer", "crit", "also", "scope", "mix")

    def begin(self, run: Run, view: dict[str, Any]) -> LayerInfo:
        return chosen_layer(run, view["layer"])

    def settled(self, memory: LayerInfo) -> dict[str, Any]:
        return {"layer": memory.name}

    def answer(
        self, run: Run, layer: LayerInfo, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        if view["scope"] == "mix":
            yield from joint.answer(run, view, epoch, evaluator)
            return
        main, also = view["crit"], lines_beside(view)
        names = pruned_together(run) if view["scope"] == "all" else [layer.name]
        asked = {"run": run.id, "epoch": epoch}
        state = Measured(
            run=run,
            layer=layer,
            where="all layers" if view["scope"] == "all" else layer.name,
            n_units=sum(one.units for one in run.layers if one.name in names),
            criterion=main,
            also=also,
            epoch=epoch,
        )
        criteria = list(dict.fromkeys([main, reversed_name(main), *also]))
        for message in evaluator.ask("curves", **asked, layers=names, criteria=criteria):
            state.parts[message["criterion"], message["seed"]] = Part(message)
            if state.sizes is None and state.all_lines:
                yield state.row()
                # What the lines are drawn over, parameters or multiply-adds, is counted in an instant.
                details = {"scope": view["scope"], "layer": layer.name, "layers": names, "criterion": main}
                *_, state.sizes = evaluator.ask("sizes", **asked, **details)
            yield state.row()

    def templates(self, run: Run, memory: LayerInfo, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        if view["scope"] == "mix":
            return {"figures": {}, "texts": joint.texts(), "lists": {}}
        drawn = figures.curve(theme, len(lines_beside(view)), view["xaxis"])
        return {"figures": {"prune": drawn}, "texts": figures.texts(), "lists": {}}


def lines_beside(view: dict[str, Any]) -> tuple[str, ...]:
    """Criteria drawn beside the main one."""
    return tuple(name for name in view["also"].split(",") if name and name != view["crit"])


def pruned_together(run: Run) -> list[str]:
    """The layers that are pruned: all but the last, whose units are the classes."""
    return [layer.name for layer in run.layers[:-1]] or [layer.name for layer in run.layers]


def reversed_name(criterion: str) -> str:
    """The same quantity, its other end removed first."""
    found = CRITERIA[criterion]
    return next(
        (name for name, other in CRITERIA.items() if other.base == found.base and other.first != found.first), criterion
    )


def removable(accuracy: np.ndarray, share: np.ndarray, loss: float) -> float:
    """Largest share that can go before accuracy first falls by more than ``loss``."""
    if not np.isfinite(accuracy).all():
        return float("nan")
    fallen = np.flatnonzero(accuracy < accuracy[0] - loss - 1e-9)
    return float(share[-1] if not len(fallen) else share[max(0, int(fallen[0]) - 1)])


def _finding(where: str, loss: float, allowed: float, by_chance: float, exact: bool) -> str:
    price = "no loss of accuracy" if loss == 0 else f"{loss:g} point{'' if loss == 1 else 's'} of accuracy"
    told = f"{'' if exact else 'About '}{percent(allowed)} of {where} can go for {price}"
    if not np.isfinite(by_chance):
        return told + "."
    return f"{told}; chosen at random, {percent(by_chance)}."
