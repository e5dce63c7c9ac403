"""How many directions does accuracy need? The network with one layer replaced by its best approximation of rank k."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.words import chosen_layer
from prunescope.app.figures import spectrum as figures
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.store import LayerInfo, Run

# One point of accuracy, as on the Pruning page.
POINT = 0.01


class LowRankFeed:
    """Answers about one epoch, coarse first."""

    answers = True
    keys = ("layer",)

    def begin(self, run: Run, view: dict[str, Any]) -> LayerInfo:
        return chosen_layer(run, view["layer"])

    def settled(self, memory: LayerInfo) -> dict[str, Any]:
        return {"layer": memory.name}

    def answer(
        self, run: Run, layer: LayerInfo, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        asked = evaluator.ask("low_rank_swap", priority=2, run=run.id, epoch=epoch, layer=layer.name)
        try:
            for message in asked:
                yield swap_row(message)
        except ValueError as problem:
            # One figure of many: the page goes on, the figure says why it is empty.
            yield {"swap_said": str(problem), "swap_label": "", "swap_dense": np.nan} | dict.fromkeys(
                ("k", "swap", "swap_low", "swap_high", "swap_norm"), np.zeros(0)
            )

    def templates(self, run: Run, memory: LayerInfo, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {"swap": figures.low_rank_swap(theme)},
            "texts": {"spectrum-swap": {"$": "swap_said", "at": "epoch"}},
            "lists": {},
        }


def swap_row(message: dict[str, Any]) -> dict[str, Any]:
    k, total = np.asarray(message["k"], dtype=float), message["total"]
    accuracy = np.asarray(message["correct"]) / total
    low, high = wilson_interval(np.asarray(message["correct"]), total)
    # At full rank the layer is what it was.
    dense = float(accuracy[-1])
    enough = enough_rank(k, accuracy)
    said = f"{total} examples, exact" if message["whole"] else f"{total} examples, measuring …"
    return {
        "k": k,
        "swap": accuracy,
        "swap_low": low,
        "swap_high": high,
        "swap_norm": np.asarray(message["norm_ratio"]),
        "swap_dense": dense,
        "swap_label": f"rank {enough} of {message['rank']} keeps all but one point" if message["whole"] else "",
        "swap_said": said,
    }


def enough_rank(k: np.ndarray, accuracy: np.ndarray) -> int:
    """Smallest measured k from which on accuracy stays within one point of the whole layer's."""
    short = np.flatnonzero(accuracy < accuracy[-1] - POINT - 1e-9)
    return int(k[0] if not len(short) else k[short[-1] + 1])
