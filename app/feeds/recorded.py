"""What pages about many runs read of each: its curves, and the structure of its layers at the end. Remembered."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
from prunescope.app.feeds.overview import layer_numbers
from prunescope.engine.geometry import angle_null, spherical_kmeans
from prunescope.engine.store import Run

KEPT = 20_000
CLUSTERS = 4
OF_LAYERS = {"angle": "median angle", "rank": "effective rank", "spread": "spread of norms"}


class Recorded:
    """Numbers of runs by what they are about; a snapshot never changes, so neither does what follows from it."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._lock = Lock()

    def _once(self, key: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = compute()
        with self._lock:
            self._known[key] = found
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found

    def curves(self, run: Run) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Epochs, and each metric over them."""
        key = ("curves", str(run.path), run.created, run.head.n_snapshots)
        return self._once(key, lambda: (np.asarray(run.epochs), run.metrics()))

    def layer_at_the_end(self, run: Run, layer: str) -> dict[str, float]:
        """Median angle, effective rank and spread of norms of a layer ("angle fc1", …), in the newest snapshot."""
        if not len(run.epochs) or layer not in [info.name for info in run.layers]:
            return {}
        epoch = float(run.epochs[-1])

        def compute() -> dict[str, float]:
            numbers = layer_numbers(run.weights(layer, epoch))
            return {f"{name} {layer}": value for name, value in zip(OF_LAYERS, numbers, strict=True)}

        return self._once(("layer", str(run.path), run.created, layer, epoch), compute)

    def angles(self, run: Run, layer: str, epoch: float) -> np.ndarray:
        """(units,) angle of each to its centre among four, in degrees; nan for a unit without a direction."""

        def compute() -> np.ndarray:
            weights = run.weights(layer, epoch)
            angles = np.full(len(weights), np.nan)
            live = np.flatnonzero(np.isfinite(weights).all(axis=1) & (np.linalg.norm(weights, axis=1) > 0))
            if len(live):
                angles[live] = spherical_kmeans(weights[live], min(CLUSTERS, len(live)), seed=0, n_init=3).angles
            return angles

        return self._once(("angles", str(run.path), run.created, layer, epoch), compute)

    def effect(self, run: Run, layer: str, epoch: float) -> float:
        """How much closer to four directions the units stand than random ones would, in degrees."""
        angles = self.angles(run, layer, epoch)
        live = int(np.isfinite(angles).sum())
        if live <= CLUSTERS:
            return np.nan
        info = run.layer(layer)
        chance = self._once(
            ("null", live, info.fan_in), lambda: angle_null(live, info.fan_in, CLUSTERS, draws=5, seed=0).mean
        )
        return float(chance - np.nanmean(angles))
