"""Since when is it prunable, and which layer how far? Coarse curves, many of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.words import chosen_layer, epoch_text, percent
from prunescope.app.figures import pruning as figures
from prunescope.app.figures.overview import per_layer
from prunescope.app.figures.theme import PERCENT
from prunescope.engine.store import LayerInfo, Run

# One point of accuracy: what people mean by "for free" in a figure.
POINT = 0.01


class SurfaceFeed:
    """One coarse curve an epoch."""

    measured = True
    keys = ("layer", "crit")

    def begin(self, run: Run, view: dict[str, Any]) -> dict[str, Any]:
        return {"layer": chosen_layer(run, view["layer"]), "criterion": view["crit"]}

    def settled(self, memory: dict[str, Any]) -> dict[str, Any]:
        return {"layer": memory["layer"].name}

    def row(self, run: Run, memory: dict[str, Any], index: int, epoch: float, evaluator: Evaluator) -> dict[str, Any]:
        layer: LayerInfo = memory["layer"]
        asked = evaluator.ask(
            "surface", priority=5, run=run.id, layer=layer.name, criterion=memory["criterion"], epochs=[epoch]
        )
        found = list(asked)[-1]
        share, accuracy = shares_of(found)
        limit = limit_of(share, accuracy)
        return {
            "share": share,
            "accuracy": accuracy,
            "limit": limit,
            "said": f"1 % loss at {percent(limit)}, {epoch_text(epoch)}",
        }

    def templates(self, run: Run, memory: dict[str, Any], view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {"surface": figures.surface(theme)},
            "texts": {"pruning-surface-note": {"$": "said", "at": "epoch"}},
            "lists": {},
        }


class SensitivityFeed:
    """One coarse curve a layer at one epoch (Li 2016: one layer at a time, no retraining)."""

    answers = True
    keys = ("crit",)
    # With a share of its own for each layer, these curves are what the page is about.
    redrawn = ("scope",)

    def begin(self, run: Run, view: dict[str, Any]) -> list[LayerInfo]:
        chosen_layer(run, "")
        # The last layer's units are the classes: removing one is no pruning.
        return list(run.layers[:-1]) or list(run.layers)

    def settled(self, memory: list[LayerInfo]) -> dict[str, Any]:
        return {}

    def answer(
        self, run: Run, layers: list[LayerInfo], view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        names = [layer.name for layer in layers]
        row: dict[str, Any] = {"said": [f"<b>{name}</b>" for name in names], "problem": [""] * len(names)}
        for i in range(len(layers)):
            row[f"share{i}"] = row[f"accuracy{i}"] = np.zeros(0)
            row[f"end{i}"] = row[f"below{i}"] = np.nan
        grid = row["grid"] = np.linspace(0, 1, figures.STRIP_LEVELS)
        strips = np.full((len(layers), len(grid)), np.nan)
        missing = set(names)
        for message in evaluator.ask(
            "sensitivity", priority=3, run=run.id, epoch=epoch, criterion=view["crit"], layers=names
        ):
            i = names.index(message["layer"])
            said, problem = list(row["said"]), list(row["problem"])
            missing.discard(names[i])
            if "problem" in message:
                problem[i] = f"{names[i]}: {message['problem']}"
                said[i] = f"<b>{names[i]}</b><br>cannot be told"
            else:
                share, accuracy = shares_of(message)
                limit = limit_of(share, accuracy)
                row |= {f"share{i}": share, f"accuracy{i}": accuracy}
                row |= {f"end{i}": limit, f"below{i}": float(np.interp(limit, share, accuracy))}
                strips[i] = np.interp(grid, share, accuracy)
                said[i] = f"<b>{names[i]}</b><br>1 % loss at {percent(limit)}"
            row = row | {"said": said, "problem": problem, "partial": float(bool(missing)), "strips": strips.ravel()}
            row["note"] = " ".join(filter(None, problem)) or f"one at a time · {epoch_text(epoch)}"
            yield row

    def templates(self, run: Run, memory: list[LayerInfo], view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {"sensitivity": figures.sensitivity(theme, [layer.name for layer in memory])}
            | ({"prune": figures.mixed(theme, [one.name for one in memory])} if view["scope"] == "mix" else {}),
            "texts": {"sensitivity-note": {"$": "note", "at": "epoch"}},
            "lists": {},
        }


class PrunableFeed:
    """How much of each layer could go for one point of accuracy, epoch by epoch; filled in as it is measured."""

    measured = True
    keys = ()

    def begin(self, run: Run, view: dict[str, Any]) -> list[LayerInfo]:
        chosen_layer(run, "")
        return list(run.layers[:-1]) or list(run.layers)

    def settled(self, memory: list[LayerInfo]) -> dict[str, Any]:
        return {}

    def row(self, run: Run, layers: list[LayerInfo], index: int, epoch: float, evaluator: Evaluator) -> dict[str, Any]:
        names = [layer.name for layer in layers]
        limits = np.full(len(names), np.nan)
        for message in evaluator.ask("sensitivity", priority=9, run=run.id, epoch=epoch, criterion="l2", layers=names):
            if "problem" not in message:
                limits[names.index(message["layer"])] = limit_of(*shares_of(message))
        return {"limit": limits}

    def templates(self, run: Run, memory: list[LayerInfo], view: dict[str, Any], theme: Any) -> dict[str, Any]:
        names = [layer.name for layer in memory]
        drawn = per_layer(names, "limit", "removable", theme, rangemode="tozero", tickformat=PERCENT)
        return {"figures": {"layer-prunable": drawn}, "texts": {}, "lists": {}}


def shares_of(message: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Share removed, and accuracy, of a curve as the evaluator sends it."""
    return np.asarray(message["removed"]) / message["units"], np.asarray(message["correct"]) / message["seen"]


def limit_of(share: np.ndarray, accuracy: np.ndarray) -> float:
    """Largest share before the curve first falls by more than one point."""
    fallen = np.flatnonzero(accuracy < accuracy[0] - POINT - 1e-9)
    return float(share[-1] if not len(fallen) else share[max(0, fallen[0] - 1)])
