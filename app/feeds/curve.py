"""The course of training, for the scrubber of every page."""

from typing import Any, NamedTuple

import numpy as np
from prunescope.engine.store import Run

# The first of these that a run has recorded is its headline.
HEADLINES = ("val/accuracy", "test/accuracy", "accuracy", "train/accuracy", "val/loss", "train/loss", "loss")


class CurveMemory(NamedTuple):
    cache: dict[str, Any]


def headline(metrics: dict[str, np.ndarray]) -> str | None:
    """The metric that sums a run up."""
    for name in HEADLINES:
        if name in metrics:
            return name
    return next(iter(metrics), None)


def metrics_at(run: Run, cache: dict[str, Any], index: int) -> dict[str, float]:
    """The metrics of one epoch; the whole table is read again only when it has grown past what is held."""
    if index >= cache.get("length", 0):
        table = run.metrics()
        cache["table"] = table
        cache["length"] = max((len(values) for values in table.values()), default=0)
    return {name: float(values[index]) for name, values in cache["table"].items() if index < len(values)}


class CurveFeed:
    """One number an epoch: validation accuracy where there is one."""

    keys: tuple[str, ...] = ()

    def begin(self, run: Run, view: dict[str, Any]) -> CurveMemory:
        return CurveMemory({})

    def row(self, run: Run, memory: CurveMemory, index: int, epoch: float) -> dict[str, Any]:
        values = metrics_at(run, memory.cache, index)
        name = headline(memory.cache["table"])
        return {"value": values.get(name, np.nan) if name else np.nan, "name": name or ""}

    def templates(self, run: Run, memory: CurveMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {"figures": {}, "texts": {}}

    def settled(self, memory: CurveMemory) -> dict[str, Any]:
        return {}
