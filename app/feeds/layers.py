"""A layer's weights at one epoch, as far as geometry can speak of them: units with a direction, and why not others."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from prunescope.app.feeds.words import epoch_text, units
from prunescope.engine.geometry import Pairs, among, inner_products, unit_norms
from prunescope.engine.recent import Recent
from prunescope.engine.store import LayerInfo, Run

# Feeds of a page walk through the same epochs: what one has read and multiplied serves the others.
KEPT_BYTES = 96 * 2**20


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One layer at one epoch.

    weights : (n_units, fan_in) float32 as recorded, read only
    norms : (n_units,) float64, nan where the run has diverged
    live : (n_units,) bool, units with a direction
    problem : why there is no geometry at all, as a sentence; "" where there is
    """

    weights: np.ndarray
    norms: np.ndarray
    live: np.ndarray
    problem: str
    _formed: dict[str, Pairs] = field(default_factory=dict, compare=False, repr=False)
    _lock: Any = field(default_factory=threading.Lock, compare=False, repr=False)

    @property
    def vectors(self) -> np.ndarray:
        """(live units, fan_in)"""
        return self.weights if self.live.all() else self.weights[self.live]

    @property
    def all_pairs(self) -> Pairs:
        """Cosines and norms of all units, formed once; those of a dead unit are 0."""
        with self._lock:
            if "all" not in self._formed:
                self._formed["all"] = inner_products(self.weights)
            return self._formed["all"]

    @property
    def pairs(self) -> Pairs:
        """Cosines and norms of the live units."""
        return self.all_pairs if self.live.all() else among(self.all_pairs, self.live)

    @property
    def nbytes(self) -> int:
        return self.weights.nbytes + 8 * len(self.norms) ** 2

    def spread_out(self, values: np.ndarray) -> np.ndarray:
        """One value a live unit → one value a unit, nan for the others."""
        full = np.full(len(self.live), np.nan)
        full[self.live] = values
        return full


RECENT = Recent[tuple[Any, ...], Snapshot](KEPT_BYTES, weigh=lambda snapshot: snapshot.nbytes)


def snapshot(run: Run, layer: LayerInfo, epoch: float) -> Snapshot:
    """What is recorded of a layer at one epoch; recorded snapshots never change, so recent ones are kept."""
    key = (str(run.path), run.created, layer.name, epoch)
    return RECENT.once(key, lambda: _read(run, layer, epoch))


def _read(run: Run, layer: LayerInfo, epoch: float) -> Snapshot:
    weights = run.weights(layer.name, epoch)
    weights.flags.writeable = False
    nothing = np.full(layer.units, np.nan)
    nobody = np.zeros(layer.units, dtype=bool)
    if not np.isfinite(weights.sum()) and not np.isfinite(weights).all():
        return Snapshot(
            weights=weights,
            norms=nothing,
            live=nobody,
            problem=f"No geometry at {epoch_text(epoch)}: {layer.name} holds values that are no numbers. "
            "The run has diverged; look at an earlier epoch.",
        )
    norms = unit_norms(weights)
    live = norms > 0
    problem = ""
    if not live.any():
        problem = f"No geometry at {epoch_text(epoch)}: all {units(layer, layer.units)} of {layer.name} have norm 0."
    return Snapshot(weights=weights, norms=norms, live=live, problem=problem)


def about(run: Run, layer: LayerInfo, epoch: float, *more: str) -> str:
    """The grey line under a finding: run, layer, size, epoch and what else is worth knowing."""
    parts = [run.name, layer.name, f"{units(layer, layer.units)} in {layer.fan_in} dimensions", epoch_text(epoch)]
    return " · ".join([*parts, *(one for one in more if one)])


def dead_words(layer: LayerInfo, live: np.ndarray) -> str:
    """How many units are left out because they have no direction; "" where none is."""
    dead = int((~live).sum())
    return f"{units(layer, dead)} of norm 0 left out" if dead else ""


def epoch_of(run: Run, epoch: float) -> float:
    """The run's recorded epoch for one of another run, or asked for: the last that is not later."""
    return float(run.epochs[max(0, int(np.searchsorted(run.epochs, epoch + 1e-9, side="right")) - 1)])


def fitted_epoch(run: Run, view: Mapping[str, Any]) -> float:
    """The recorded epoch that a basis, clusters or a width are fitted until; the last one unless chosen."""
    return float(run.epochs[-1]) if view["fit"] < 0 else epoch_of(run, float(view["fit"]))
