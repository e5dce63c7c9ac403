"""Who is like whom? The similarity graph of a layer over epochs, of one network or of two."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.graph import BINS, blank, graph_rows
from prunescope.app.feeds.kernel import MOST_UNITS, width_over
from prunescope.app.feeds.layers import Snapshot, about, dead_words, epoch_of, fitted_epoch, snapshot
from prunescope.app.feeds.others import other_run, same_layer
from prunescope.app.feeds.words import chosen_layer, units
from prunescope.app.figures import similarity as figures
from prunescope.engine.geometry import (
    cluster_labels,
    edge_weights,
    force_layout,
    match_clusters,
)
from prunescope.engine.recent import Recent
from prunescope.engine.store import LayerInfo, Run

# Where the slider begins: enough edges to see structure, few enough to see through, whatever the layer.
EDGES_A_UNIT = 2
USUAL_CUTOFF = 0.8
# Steps from the places of the fitted epoch to those of epoch 0; from one epoch to the next the usual few do.
FIRST_STEPS = 60
# Epochs that the kernel width of activations is averaged over: each costs a run of the network.
WIDTH_EPOCHS = 5
# Widths by activations that have been measured: the graph and its groups ask for the same one.
_measured_widths = Recent[tuple[Any, ...], float](64)
# The clusters of each unit as the graph has named them, epoch by epoch, for the figures beside it.
_named = Recent[tuple[Any, ...], np.ndarray](1024)


@dataclass
class SimilarityMemory:
    run: Run
    layer: LayerInfo
    fitted: float
    laid: float
    n_clusters: int
    by: str
    width: float
    other: Run | None
    other_layer: LayerInfo | None
    positions: np.ndarray | None = None
    labels: np.ndarray | None = None
    begun: bool = False
    settled: dict[str, Any] = field(default_factory=dict)

    @property
    def n_units(self) -> int:
        return self.layer.units + (0 if self.other_layer is None else self.other_layer.units)


class SimilarityFeed:
    """Nodes, edges and what becomes of them at each cutoff, epoch by epoch."""

    measured = True
    ahead = True
    keys = ("layer", "fit", "laid", "k", "by", "with")

    def begin(self, run: Run, view: dict[str, Any]) -> SimilarityMemory:
        layer = chosen_layer(run, view["layer"])
        other = other_run(run, view["with"]) if view["with"] else None
        other_layer = None if other is None else same_layer(run, other, layer)
        if other is not None and view["by"] == "activations":
            raise ValueError(
                "Activations are compared inside one network. Choose “weights”, or no other run, under “With”."
            )
        fitted = fitted_epoch(run, view)
        memory = SimilarityMemory(
            run=run,
            layer=layer,
            fitted=fitted,
            laid=float(view["laid"]),
            n_clusters=min(int(view["k"]), layer.units),
            by=view["by"],
            width=np.nan,
            other=other,
            other_layer=other_layer,
        )
        if memory.n_units > MOST_UNITS:
            raise ValueError(f"{layer.name} has {memory.n_units} units; the graph is drawn for up to {MOST_UNITS}.")
        if memory.by == "weights":
            memory.width = self._weights_width(run, memory)
        if memory.laid < 0:
            memory.laid = self._first_cutoff(run, memory)
            memory.settled = {"cut": memory.laid}
        return memory

    @staticmethod
    def _first_cutoff(run: Run, memory: SimilarityMemory) -> float:
        """A cutoff at which there is something to see: about two edges a unit at the fitted epoch."""
        if memory.by == "activations":
            return USUAL_CUTOFF
        now = merged(run, memory, memory.fitted)
        n = len(now.live)
        if now.problem or now.live.sum() < 2:
            return USUAL_CUTOFF
        weights = edge_weights(cosines_of(now), memory.width)[np.triu_indices(n, 1)]
        wanted = min(EDGES_A_UNIT * n, len(weights))
        return float(np.clip(np.floor(100 * np.partition(weights, -wanted)[-wanted]) / 100, 0.05, 0.95))

    @staticmethod
    def _weights_width(run: Run, memory: SimilarityMemory) -> float:
        """σ over the epochs up to the fitted one."""

        def directions(epoch: float) -> np.ndarray:
            weights = run.weights(memory.layer.name, epoch)
            if memory.other is None or memory.other_layer is None:
                return weights
            there = memory.other.weights(memory.other_layer.name, epoch_of(memory.other, epoch))
            return np.vstack([weights, there])

        return width_over(map(directions, map(float, run.epochs[run.epochs <= memory.fitted])))

    def settled(self, memory: SimilarityMemory) -> dict[str, Any]:
        return {"layer": memory.layer.name, "fit": memory.fitted, "laid": memory.laid} | memory.settled

    def row(self, run: Run, memory: SimilarityMemory, index: int, epoch: float, evaluator: Evaluator) -> dict[str, Any]:
        layer = memory.layer
        if not memory.begun:
            self._begin_at_the_fit(run, memory, evaluator)
        now = merged(run, memory, epoch)
        row = blank(memory.n_units) | {"sub": self._sub(run, memory, now, epoch)}
        if now.problem:
            return row | {"problem": now.problem}
        weights, live = edges_of(run, memory, now, epoch, evaluator)
        if live.sum() < 2:
            return row | {"problem": f"{layer.name} has one {units(layer)[:-1]} to look at: there are no pairs."}
        self._place(memory, now, weights, None if index else FIRST_STEPS)
        if memory.other is None and memory.labels is not None:
            _named.put(_name_key(run, layer, memory.n_clusters, memory.fitted, epoch), memory.labels)
        return row | graph_rows(weights, live, memory.width) | node_rows(now, memory)

    def _begin_at_the_fit(self, run: Run, memory: SimilarityMemory, evaluator: Evaluator) -> None:
        """Places and colours begin at the fitted epoch, so that an epoch shown before its turn stands where it will."""
        now = merged(run, memory, memory.fitted)
        if not now.problem and memory.n_units > 1:
            weights, _ = edges_of(run, memory, now, memory.fitted, evaluator)
            self._place(memory, now, weights, None)
        # Not before: whoever asks again after a measurement has failed, or nobody waited for it, begins anew.
        memory.begun = True

    def _place(self, memory: SimilarityMemory, now: Snapshot, weights: np.ndarray, steps: int | None) -> None:
        started = memory.positions is not None
        memory.positions = force_layout(weights, memory.laid, memory.positions, iterations=steps if started else None)
        self._name_clusters(memory, now)

    @staticmethod
    def _name_clusters(memory: SimilarityMemory, now: Snapshot) -> None:
        """Colours: clusters that keep their names from epoch to epoch, or the network of each unit."""
        if memory.other is not None:
            memory.labels = (np.arange(memory.n_units) >= memory.layer.units).astype(int)
            return
        if not now.live.all():
            # A clustering of other units than before would rename them all.
            return
        memory.labels = named_after(memory.labels, now, memory.n_clusters)

    @staticmethod
    def _sub(run: Run, memory: SimilarityMemory, now: Snapshot, epoch: float) -> str:
        beside = "" if memory.other is None else f"with {memory.other.name} at epoch {epoch_of(memory.other, epoch):g}"
        what = "correlations of outputs" if memory.by == "activations" else "cosines of weights"
        return about(run, memory.layer, epoch, beside, what, dead_words(memory.layer, now.live))

    def templates(self, run: Run, memory: SimilarityMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        networks = [] if memory.other is None else [run.name, memory.other.name]
        noun = units(memory.layer)
        where = memory.layer.name if memory.other is None else f"{memory.layer.name} of both networks"
        return {
            "figures": {
                "graph": figures.graph(theme, noun[:-1], memory.n_clusters, networks),
                "components": figures.components(theme, memory.n_units),
                "weights": figures.weight_distribution(theme, BINS),
            },
            "texts": figures.texts(memory.n_units, noun, where, memory.by),
            "lists": {"similarity-groups": figures.group_list(theme, memory.n_clusters, networks)},
        }


def named_clusters(run: Run, layer: LayerInfo, n_clusters: int, fitted: float, epoch: float) -> np.ndarray:
    """(units,) the cluster of each unit as in the graph; named after the fitted epoch's where the graph is not there yet."""
    known = _named.get(_name_key(run, layer, n_clusters, fitted, epoch))
    if known is not None:
        return known
    names: np.ndarray | None = None
    for at in (fitted, epoch):
        now = snapshot(run, layer, at)
        if not now.problem and now.live.all():
            names = named_after(names, now, n_clusters)
    return np.zeros(layer.units, dtype=int) if names is None else names


def named_after(before: np.ndarray | None, now: Snapshot, n_clusters: int) -> np.ndarray:
    """(units,) clusters of a layer whose units all have a direction, with the names that they had before."""
    labels = cluster_labels(now.pairs, n_clusters, seed=0, n_init=3)
    return labels if before is None else match_clusters(before, labels)[labels]


def _name_key(run: Run, layer: LayerInfo, n_clusters: int, fitted: float, epoch: float) -> tuple[Any, ...]:
    return run.path, run.created, layer.name, n_clusters, fitted, epoch


def merged(run: Run, memory: SimilarityMemory, epoch: float) -> Snapshot:
    """The layer, and below it that of the other network where there is one."""
    here = snapshot(run, memory.layer, epoch)
    if memory.other is None or memory.other_layer is None:
        return here
    there = snapshot(memory.other, memory.other_layer, epoch_of(memory.other, epoch))
    return Snapshot(
        weights=np.vstack([here.weights, there.weights]),
        norms=np.concatenate([here.norms, there.norms]),
        live=np.concatenate([here.live, there.live]),
        problem=here.problem or there.problem,
    )


def cosines_of(now: Snapshot) -> np.ndarray:
    """(n_units, n_units); −1 for pairs with a unit that has no direction."""
    cosines = now.all_pairs.cosines
    if now.live.all():
        return cosines
    both = now.live[:, None] & now.live
    return np.where(both, cosines, -1.0)


def edges_of(
    run: Run, memory: SimilarityMemory, now: Snapshot, epoch: float, evaluator: Evaluator
) -> tuple[np.ndarray, np.ndarray]:
    """Edge weights of all units, and which of these can be joined at all."""
    if memory.by == "activations":
        if np.isnan(memory.width):
            key = (run.path, run.created, memory.layer.name, memory.fitted)
            memory.width = _measured_widths.once(key, lambda: _activations_width(evaluator, run, memory))
        similar, live = correlations_of(evaluator, run, memory.layer, epoch)
    else:
        similar, live = cosines_of(now), now.live.copy()
    weights = edge_weights(similar, memory.width)
    # Units without a direction are like nobody.
    weights[~live] = 0
    weights[:, ~live] = 0
    return weights, live


def _activations_width(evaluator: Evaluator, run: Run, memory: SimilarityMemory) -> float:
    known = run.epochs[run.epochs <= memory.fitted]
    some = known[np.unique(np.linspace(0, len(known) - 1, WIDTH_EPOCHS).round().astype(int))]
    return float(np.mean([((1 - correlations_of(evaluator, run, memory.layer, float(e))[0]) / 2).mean() for e in some]))


def correlations_of(evaluator: Evaluator, run: Run, layer: LayerInfo, epoch: float) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of the units' outputs, and which units' outputs vary at all."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "correlations.npy"
        *_, told = evaluator.ask("correlations", run=run.id, layer=layer.name, epoch=epoch, path=str(path))
        matrix = np.load(path, allow_pickle=False).astype(np.float64)
    varies = np.ones(len(matrix), dtype=bool)
    varies[told["constant"]] = False
    return matrix, varies


def node_rows(now: Snapshot, memory: SimilarityMemory) -> dict[str, Any]:
    positions = np.where(now.live[:, None], memory.positions, np.nan)
    labels = memory.labels if memory.labels is not None else np.zeros(memory.n_units, dtype=int)
    n_groups = memory.n_clusters if memory.other is None else 2
    counts = np.bincount(labels, minlength=n_groups)
    return {
        "x": positions[:, 0],
        "y": positions[:, 1],
        # Area grows with the norm, in a crowd from less; the smallest can still be pointed at.
        "sizes": 4 + 12 * min(1.0, np.sqrt(160 / memory.n_units)) * np.sqrt(now.norms / now.norms.max()),
        "norms": now.norms,
        "labels": labels,
        "group_lines": [units(memory.layer, int(count)) for count in counts],
    }
