"""What can be removed? The measured curve of one layer at one epoch, refined until it is exact."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.words import chosen_layer, epoch_text, units
from prunescope.app.figures import pruning as figures
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.store import LayerInfo, Run

RANDOM_ROUNDS = 5
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

    @property
    def exact(self) -> bool:
        return self.seen == self.total


class PruningFeed:
    """Answers about one epoch: each row takes the place of the one before, until it is exact."""

    answers = True
    keys = ("layer", "crit", "also")

    def begin(self, run: Run, view: dict[str, Any]) -> LayerInfo:
        return chosen_layer(run, view["layer"])

    def settled(self, memory: LayerInfo) -> dict[str, Any]:
        return {"layer": memory.name}

    def answer(
        self, run: Run, layer: LayerInfo, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        main, reverse = view["crit"], reversed_name(view["crit"])
        criteria = list(dict.fromkeys([main, reverse, *([view["also"]] if view["also"] != "none" else [])]))
        parts: dict[tuple[str, int], Part] = {}
        drop = np.full(layer.units, np.nan)
        asked = {"run": run.id, "epoch": epoch, "layer": layer.name}
        for message in evaluator.ask("curves", **asked, criteria=criteria):
            parts[message["criterion"], message["seed"]] = Part(message)
            if (main, 0) in parts:
                yield self._row(run, layer, view, epoch, parts, drop)
        for message in evaluator.ask("ablation", priority=1, **asked):
            drop = 100 * (message["dense"] - np.asarray(message["correct"])) / message["seen"]
            yield self._row(run, layer, view, epoch, parts, drop)

    def _row(
        self,
        run: Run,
        layer: LayerInfo,
        view: dict[str, Any],
        epoch: float,
        parts: dict[tuple[str, int], Part],
        drop: np.ndarray,
    ) -> dict[str, Any]:
        main = parts[view["crit"], 0]
        n = len(main.removed)
        low, high = wilson_interval(main.correct, main.seen)
        rounds = np.stack([p.accuracy for (name, _), p in parts.items() if name == "random"] or [np.full(n, np.nan)])
        mean = rounds.mean(axis=0)
        sd = rounds.std(axis=0, ddof=1) if len(rounds) > 1 else np.zeros(n)
        # Orders and what they stand for differ in length only where units are coupled in groups.
        blank = np.full(n, np.nan)

        def line(name: str) -> np.ndarray:
            part = parts.get((name, 0))
            return blank if part is None or len(part.removed) != n else part.accuracy

        dense = float(main.accuracy[0])
        allowed = [_removable(main.accuracy, main.removed, layer.units, loss / 100) for loss in LOSS_STEPS]
        allowed_random = [_removable(mean, main.removed, layer.units, loss / 100) for loss in LOSS_STEPS]
        half = 50 * (high - low)
        noun = units(layer)
        certainty = "exact" if main.exact else f"estimate from {main.seen} of {main.total} examples"
        return {
            "share": main.removed / layer.units,
            "main": main.accuracy,
            "low": low,
            "high": high,
            "reverse": line(reversed_name(view["crit"])),
            "also": line(view["also"]),
            "random": mean,
            "random_low": mean - sd,
            "random_high": mean + sd,
            "drop": drop[main.order] if len(main.order) == layer.units else drop,
            "units": main.order.astype(float),
            "allowed": np.asarray(allowed),
            "finding": [
                _finding(layer, loss, a, r) for loss, a, r in zip(LOSS_STEPS, allowed, allowed_random, strict=True)
            ],
            "sub": f"{run.name} · {layer.name} · {epoch_text(epoch)} · {main.total} held-out examples · {certainty}",
            "big": [f"{100 * value:.1f}" for value in main.accuracy],
            "big_error": [f"% ± {value:.1f}" for value in half],
            "note": [
                f"at {100 * m / layer.units:.0f} % removed ({m} of {layer.units} {noun}) · dense {100 * dense:.1f} %"
                for m in main.removed
            ],
            "chip": "exact" if main.exact else "estimate",
            "chip_note": f"{main.seen} of {main.total} examples · {figures.PATH_WORDS.get(main.path, main.path)}",
            "certain": 1.0 if main.exact else 0.0,
            "label_main": figures.words(view["crit"]),
            "label_reverse": figures.words(reversed_name(view["crit"])),
            "label_also": figures.words(view["also"]) if view["also"] != "none" else "",
            "label_random": f"random, {len(rounds)} draws" if np.isfinite(mean).all() else "",
        }

    def templates(self, run: Run, memory: LayerInfo, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {
                "prune": figures.curve(theme, view["also"] != "none"),
                "ablation": figures.ablation(theme, units(memory)[:-1]),
            },
            "texts": figures.texts(),
            "lists": {},
        }


def reversed_name(criterion: str) -> str:
    """The same score, its other end removed first."""
    return criterion.removesuffix(":largest") if criterion.endswith(":largest") else f"{criterion}:largest"


def _removable(accuracy: np.ndarray, removed: np.ndarray, n_units: int, loss: float) -> float:
    """Largest share that can go before the curve first falls by more than ``loss``."""
    if not np.isfinite(accuracy).all():
        return float("nan")
    fallen = np.flatnonzero(accuracy < accuracy[0] - loss - 1e-9)
    last = len(removed) - 1 if not len(fallen) else max(0, int(fallen[0]) - 1)
    return float(removed[last] / n_units)


def _finding(layer: LayerInfo, loss: float, allowed: float, by_chance: float) -> str:
    price = "no loss of accuracy" if loss == 0 else f"{loss:g} point{'' if loss == 1 else 's'} of accuracy"
    told = f"{100 * allowed:.0f} % of {layer.name} can go for {price}"
    if not np.isfinite(by_chance):
        return told + "."
    return f"{told}; chosen at random, {100 * by_chance:.0f} %."
