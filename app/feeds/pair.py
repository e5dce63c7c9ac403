"""Do two epochs, or two networks, use the same directions? Principal angles and a joint SVD."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.layers import epoch_of, snapshot
from prunescope.app.feeds.others import other_run, same_layer
from prunescope.app.feeds.words import chosen_layer, epoch_text
from prunescope.app.figures import spectrum as figures
from prunescope.engine.geometry import joint_svd, principal_angles
from prunescope.engine.store import LayerInfo, Run

# Random subspaces scatter by less than the line is wide: few draws are enough.
DRAWS = 8
# More joint directions than these could not be told apart in the figure; the rest is summed up in words.
SHOWN = 40


@dataclass
class PairMemory:
    layer: LayerInfo
    other: Run
    other_layer: LayerInfo
    rank: int
    null: np.ndarray


class PairFeed:
    """Answers about one epoch: against another one, or against the same layer of the run chosen in “With”."""

    answers = True
    keys = ("layer", "rank", "with", "than")

    def begin(self, run: Run, view: dict[str, Any]) -> PairMemory:
        layer = chosen_layer(run, view["layer"])
        other = other_run(run, view["with"]) if view["with"] else run
        other_layer = same_layer(run, other, layer)
        rank = min(int(view["rank"]), layer.units, other_layer.units, layer.fan_in)
        return PairMemory(layer, other, other_layer, rank, random_angles(rank, layer.fan_in))

    def settled(self, memory: PairMemory) -> dict[str, Any]:
        return {"layer": memory.layer.name}

    def answer(
        self, run: Run, memory: PairMemory, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        against = epoch_of(memory.other, epoch if view["with"] else float(view["than"]))
        here = snapshot(run, memory.layer, epoch)
        there = snapshot(memory.other, memory.other_layer, against)
        name = f"{memory.other.name}, {epoch_text(against)}" if view["with"] else epoch_text(against)
        row = {
            "pair_said": f"{epoch_text(epoch)} and {name}",
            "label_here": run.name if view["with"] else epoch_text(epoch),
            "label_there": name,
            "index": np.arange(1.0, memory.rank + 1),
            "pair_angles": np.full(memory.rank, np.nan),
            "pair_null": memory.null,
            "joint_index": np.zeros(0),
            "joint_here": np.zeros(0),
            "joint_there": np.zeros(0),
            "joint_rest": "",
        }
        if here.problem or there.problem:
            yield row | {"pair_said": here.problem or there.problem}
            return
        row["pair_angles"] = principal_angles(here.weights, there.weights, memory.rank)
        yield row
        found = joint_svd(here.weights, there.weights, SHOWN)
        squares = np.square(found.values)
        count = min(SHOWN, len(squares))
        shares = found.first_share
        parts = 100 * squares / squares.sum()
        rest = f"{len(squares) - count} weaker directions hold {parts[count:].sum():.0f} %"
        yield row | {
            "joint_index": np.arange(1.0, count + 1),
            "joint_here": parts[:count] * shares,
            "joint_there": parts[:count] * (1 - shares),
            "joint_rest": rest if count < len(squares) else "",
        }

    def templates(self, run: Run, memory: PairMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {"angles-between": figures.angles_between(theme), "joint": figures.joint(theme)},
            "texts": {"spectrum-pair": {"$": "pair_said", "at": "epoch"}},
            "lists": {},
        }


def random_angles(rank: int, fan_in: int) -> np.ndarray:
    """Mean principal angles of two random subspaces: (rank,) degrees, ascending."""
    rng = np.random.default_rng(0)
    draws = [
        principal_angles(rng.standard_normal((rank, fan_in)), rng.standard_normal((rank, fan_in)), rank)
        for _ in range(DRAWS)
    ]
    return np.asarray(np.mean(draws, axis=0))
