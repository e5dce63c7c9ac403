"""Each unit of a layer removed alone, and the frame potential of those left, both in the order of removal."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.pruning import FAIR_EXAMPLES
from prunescope.app.feeds.words import chosen_layer, epoch_text, units
from prunescope.app.figures import pruning as figures
from prunescope.engine.store import LayerInfo, Run


class AloneFeed:
    """Answers about one layer at one epoch."""

    answers = True
    keys = ("layer", "crit")

    def begin(self, run: Run, view: dict[str, Any]) -> LayerInfo:
        return chosen_layer(run, view["layer"])

    def settled(self, memory: LayerInfo) -> dict[str, Any]:
        return {"layer": memory.name}

    def answer(
        self, run: Run, layer: LayerInfo, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        along = None
        asked = {"run": run.id, "epoch": epoch, "layer": layer.name, "criterion": view["crit"]}
        for found in evaluator.ask("ablation", priority=1, **asked):
            order = np.asarray(found["order"])
            if along is None:
                along = potentials(run.weights(layer.name, epoch).astype(float), order)
            seen, total = found["seen"], found["total"]
            left = np.maximum(layer.units - np.arange(layer.units + 1), 1)
            sure = "exact" if seen == total else f"estimate from {seen} of {total} examples"
            yield {
                "drop": 100 * (found["dense"] - np.asarray(found["correct"])[order]) / seen,
                "units": order.astype(float),
                "removed": [f"{m} removed" for m in range(layer.units + 1)],
                "kept": [f"{layer.units - m} kept" for m in range(layer.units + 1)],
                "potential": along,
                "potential_null": (left + left * (left - 1) / layer.fan_in) / left**2,
                "share": np.arange(layer.units + 1) / layer.units,
                "said": f"points of accuracy lost · {epoch_text(epoch)} · {sure}",
                "along": f"of the {units(layer)} left · {epoch_text(epoch)}",
                "partial": float(seen < min(FAIR_EXAMPLES, total)),
            }

    def templates(self, run: Run, memory: LayerInfo, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {
                "ablation": figures.ablation(theme, units(memory)[:-1], memory.units),
                "potential": figures.frame_potential(theme),
            },
            "texts": {
                "ablation-note": {"$": "said", "at": "epoch"},
                "potential-note": {"$": "along", "at": "epoch"},
            },
            "lists": {},
        }


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
