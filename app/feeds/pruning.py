"""What can be removed? The measured curve of one layer at one epoch, refined until it is exact."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from prunescope.app.criteria import words
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.words import chosen_layer, epoch_text, units
from prunescope.app.figures import pruning as figures
from prunescope.engine.pruning.criteria import CRITERIA
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.store import LayerInfo, Run

LOSS_STEPS = np.arange(0, 10.5, 0.5)


class Part:
    """One curve as far as it is measured."""

    def __init__(self, message: dict[str, Any]):
        self.order = np.asarray(message["order"])
        self.removed = np.asarray(message["removed"])
        self.correct = np.asarray(message["correct"])
        self.seen, self.total = int(message["seen"]), int(message["total"])
        self.path = str(message["path"])

    @property
    def accuracy(self) -> np.ndarray:
        return self.correct / self.seen

    def at(self, removed: np.ndarray) -> np.ndarray:
        """Accuracy at these levels; between those measured so far, on the straight line that is drawn there."""
        return np.interp(removed, self.removed, self.accuracy)

    @property
    def exact(self) -> bool:
        return self.seen == self.total


@dataclass(kw_only=True)
class Measured:
    """What is known of one layer at one epoch so far."""

    run: Run
    layer: LayerInfo
    where: str
    n_units: int
    criterion: str
    also: str
    epoch: float
    drop: np.ndarray
    parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    sizes: dict[str, Any] | None = None
    potential: np.ndarray | None = None

    def row(self) -> dict[str, Any]:
        """One row for the page."""
        main = self.parts[self.criterion, 0]
        n, n_units = len(main.removed), self.n_units
        blank = np.full(n, np.nan)
        low, high = wilson_interval(main.correct, main.seen)
        rounds = np.stack(
            [part.at(main.removed) for (name, _), part in self.parts.items() if name == "random"] or [blank]
        )
        mean = rounds.mean(axis=0)
        sd = rounds.std(axis=0, ddof=1) if len(rounds) > 1 else np.zeros(n)
        share = main.removed / n_units
        dense = float(main.accuracy[0])
        allowed = [removable(main.accuracy, share, loss / 100) for loss in LOSS_STEPS]
        by_chance = [removable(mean, share, loss / 100) for loss in LOSS_STEPS]
        noun = units(self.layer)
        certainty = "exact" if main.exact else f"estimate from {main.seen} of {main.total} examples"
        whole = len(main.order) == self.layer.units
        shrunk = self._shrunk(share)
        potential = blank if self.potential is None else self.potential
        left = np.maximum(n_units - main.removed, 1)
        return {
            "share": share,
            "share_params": shrunk["params"],
            "share_macs": shrunk["macs"],
            "main": main.accuracy,
            "low": low,
            "high": high,
            "reverse": self._line(reversed_name(self.criterion), main.removed),
            "also": self._line(self.also, main.removed),
            "random": mean,
            "random_low": mean - sd,
            "random_high": mean + sd,
            "drop": self.drop[main.order] if whole else blank[:0],
            "units": main.order.astype(float) if whole else blank[:0],
            "potential": potential,
            "potential_null": (left + left * (left - 1) / self.layer.fan_in) / left**2,
            "finding": [
                _finding(self.where, loss, a, r) for loss, a, r in zip(LOSS_STEPS, allowed, by_chance, strict=True)
            ],
            "sub": f"{self.run.name} · {self.where} · {epoch_text(self.epoch)} · "
            f"{main.total} held-out examples · {certainty}",
            "big": [f"{100 * value:.1f}" for value in main.accuracy],
            "big_error": [f"% ± {value:.1f}" for value in 50 * (high - low)],
            "note": [
                f"at {100 * m / n_units:.0f} % removed ({m} of {n_units} {noun}) · dense {100 * dense:.1f} %"
                for m in main.removed
            ],
            "after": shrunk["words"],
            "chip": "exact" if main.exact else "estimate",
            "chip_note": f"{main.seen} of {main.total} examples · {figures.PATH_WORDS.get(main.path, main.path)}",
            "label_main": words(self.criterion),
            "label_reverse": words(reversed_name(self.criterion)),
            "label_also": words(self.also) if self.also != "none" else "",
            "label_random": f"random, {len(rounds)} draws" if np.isfinite(mean).all() else "",
        }

    def _line(self, name: str, removed: np.ndarray) -> np.ndarray:
        part = self.parts.get((name, 0))
        return np.full(len(removed), np.nan) if part is None else part.at(removed)

    def _shrunk(self, share: np.ndarray) -> dict[str, Any]:
        """Sizes are counted at some levels; between them they are linear in the units removed."""
        if self.sizes is None:
            blank = np.full(len(share), np.nan)
            told = "" if self.where != "all layers" else "Sizes are told for one layer at a time."
            return {"params": blank, "macs": blank, "words": [told] * len(share)}
        at = np.asarray(self.sizes["removed"]) / self.n_units
        params = np.interp(share, at, self.sizes["params"])
        macs = np.interp(share, at, self.sizes["macs"])
        latency = np.interp(share, at, self.sizes["latency"])
        said = [
            f"{units(self.layer)} {self.n_units} → {self.n_units - round(s * self.n_units)} · "
            f"parameters {_fall(p, params[0])} · MACs {_fall(m, macs[0])} · "
            f"latency {1e3 * latency[0]:.2f} → {1e3 * t:.2f} ms"
            for s, p, m, t in zip(share, params, macs, latency, strict=True)
        ]
        return {"params": 1 - params / params[0], "macs": 1 - macs / macs[0], "words": said}


class PruningFeed:
    """Answers about one epoch: each row takes the place of the one before, until it is exact."""

    answers = True
    keys = ("layer", "crit", "also", "scope")

    def begin(self, run: Run, view: dict[str, Any]) -> LayerInfo:
        return chosen_layer(run, view["layer"])

    def settled(self, memory: LayerInfo) -> dict[str, Any]:
        return {"layer": memory.name}

    def answer(
        self, run: Run, layer: LayerInfo, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        main, reverse = view["crit"], reversed_name(view["crit"])
        criteria = list(dict.fromkeys([main, reverse, *([view["also"]] if view["also"] != "none" else [])]))
        together = view["scope"] == "all" and len(run.layers) > 2
        # The last layer's units are the classes: they are never pruned.
        layers = [one.name for one in run.layers[:-1]] if together else [layer.name]
        asked = {"run": run.id, "epoch": epoch}
        state = Measured(
            run=run,
            layer=layer,
            where="all layers" if together else layer.name,
            n_units=sum(one.units for one in run.layers[:-1]) if together else layer.units,
            criterion=main,
            also=view["also"],
            epoch=epoch,
            drop=np.full(layer.units, np.nan),
        )
        for message in evaluator.ask("curves", **asked, layers=layers, criteria=criteria):
            state.parts[message["criterion"], message["seed"]] = Part(message)
            if (main, 0) in state.parts:
                yield state.row()
        if not together:
            for message in evaluator.ask("sizes", priority=1, **asked, layer=layer.name, criterion=main):
                state.sizes = message
                yield state.row()
            for message in evaluator.ask("ablation", priority=1, **asked, layer=layer.name):
                state.drop = 100 * (message["dense"] - np.asarray(message["correct"])) / message["seen"]
                yield state.row()
            weights = run.weights(layer.name, epoch).astype(float)
            order = state.parts[main, 0].order
            state.potential = potentials(weights, order)
            yield state.row()

    def templates(self, run: Run, memory: LayerInfo, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {
                "prune": figures.curve(theme, view["also"] != "none", view["xaxis"]),
            }
            | (
                {}
                if view["scope"] == "all"
                else {
                    "ablation": figures.ablation(theme, units(memory)[:-1]),
                    "potential": figures.frame_potential(theme),
                }
            ),
            "texts": figures.texts(),
            "lists": {},
        }


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


def potentials(weights: np.ndarray, order: np.ndarray) -> np.ndarray:
    """FP/n² of the units left after each removal, (units + 1,), nan once none is left.

    One Gram matrix serves all levels: removing a unit takes its row and column out of the sum.
    """
    norms = np.linalg.norm(weights, axis=1, keepdims=True)
    directions = np.divide(weights, norms, out=np.zeros_like(weights), where=norms > 0)[order]
    squares = (directions @ directions.T) ** 2
    # Suffix sums: entry m is the sum over all pairs of units m, m+1, … in the order.
    later = np.triu(squares, 1).sum(axis=1)
    pairs = 2 * later + np.diag(squares)
    totals = np.cumsum(pairs[::-1])[::-1]
    left = np.arange(len(order), 0, -1)
    return np.append(totals / left**2, np.nan)


def _fall(now: float, before: float) -> str:
    return f"{100 * (now / before - 1):+.0f} %".replace("-", "\N{MINUS SIGN}").replace("+0", "0")


def _finding(where: str, loss: float, allowed: float, by_chance: float) -> str:
    price = "no loss of accuracy" if loss == 0 else f"{loss:g} point{'' if loss == 1 else 's'} of accuracy"
    told = f"{100 * allowed:.0f} % of {where} can go for {price}"
    if not np.isfinite(by_chance):
        return told + "."
    return f"{told}; chosen at random, {100 * by_chance:.0f} %."
