"""One epoch's groups at every cutoff, and its cosine matrix: asked for when shown."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.graph import CUTOFFS
from prunescope.app.feeds.layers import snapshot
from prunescope.app.feeds.similarity import USUAL_CUTOFF, SimilarityFeed, SimilarityMemory, edges_of, merged
from prunescope.app.feeds.structure import correlation_words
from prunescope.app.feeds.words import chosen_layer, units
from prunescope.app.figures import similarity as figures
from prunescope.engine.geometry import cluster_labels, components_of_tree, ordered_cosines, spanning_edges
from prunescope.engine.store import LayerInfo, Run

# Cells a side: a screen shows no more, and means of blocks are said to be means.
SIDE = 320


class GroupsFeed:
    """Components at each stop of the cutoff slider: size and largest norm."""

    answers = True
    keys = ("layer", "fit", "by", "with")

    def begin(self, run: Run, view: dict[str, Any]) -> SimilarityMemory:
        return SimilarityFeed().begin(run, view | {"laid": USUAL_CUTOFF})

    def settled(self, memory: SimilarityMemory) -> dict[str, Any]:
        return {"layer": memory.layer.name, "fit": memory.fitted}

    def answer(
        self, run: Run, memory: SimilarityMemory, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        now = merged(run, memory, epoch)
        weights, live = (None, now.live) if now.problem else edges_of(run, memory, now, epoch, evaluator)
        if weights is None or live.sum() < 2:
            nothing = np.full(len(CUTOFFS), np.nan)
            yield {"group_size": nothing, "group_norm": nothing, "group_said": [""] * len(CUTOFFS)}
            return
        yield group_rows(weights[np.ix_(live, live)], now.norms[live])

    def templates(self, run: Run, memory: SimilarityMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {"group-sizes": figures.group_sizes(theme, len(CUTOFFS), units(memory.layer))},
            "texts": {},
            "lists": {},
        }


def group_rows(weights: np.ndarray, norms: np.ndarray) -> dict[str, Any]:
    """A row of sizes and of norms for each cutoff, as wide as the most groups there are."""
    tree = spanning_edges(weights)
    found = [components_of_tree(tree, max(float(c) - figures.SAME_WEIGHT, 1e-9), norms) for c in CUTOFFS]
    most = max(len(one.sizes) for one in found)
    sizes, largest = np.full((2, len(found), most), np.nan)
    for i, one in enumerate(found):
        sizes[i, : len(one.sizes)], largest[i, : len(one.sizes)] = one.sizes, one.max_norms
    return {
        "group_size": sizes.ravel(),
        "group_norm": largest.ravel(),
        "group_said": [correlation_words("r", one.correlation, one.p_value) for one in found],
    }


class CosinesFeed:
    """The cosine matrix of one epoch, ordered by cluster."""

    answers = True
    keys = ("layer", "k")

    def begin(self, run: Run, view: dict[str, Any]) -> tuple[LayerInfo, int]:
        layer = chosen_layer(run, view["layer"])
        return layer, min(int(view["k"]), layer.units)

    def settled(self, memory: tuple[LayerInfo, int]) -> dict[str, Any]:
        return {"layer": memory[0].name}

    def answer(
        self, run: Run, memory: tuple[LayerInfo, int], view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        layer, n_clusters = memory
        side, block = matrix_side(layer.units)
        now = snapshot(run, layer, epoch)
        if now.problem:
            nothing = np.full(side * side, np.nan)
            row = {"matrix": nothing, "matrix_problem": "no directions at this epoch", "matrix_said": ""}
            yield row | {"matrix_names": [], "matrix_places": []}
            return
        pairs = now.pairs
        count = len(pairs.norms)
        labels = cluster_labels(pairs, min(n_clusters, count), seed=0, n_init=3)
        # Units without a direction come last, as gaps.
        full = np.full((side * block, side * block), np.nan)
        ordered = ordered_cosines(pairs, labels)
        full[:count, :count] = ordered.matrix
        order = np.concatenate([np.flatnonzero(now.live)[ordered.order], np.flatnonzero(~now.live)])
        said = f"ordered by {n_clusters} clusters"
        if block > 1:
            said += f"; each cell the mean of {block} × {block} pairs"
        names = cell_names(order, block, units(layer)[:-1])
        yield {
            "matrix": block_means(full, block).ravel(),
            "matrix_problem": "",
            "matrix_said": said,
            "matrix_names": names,
            # Where each unit stands on the diagonal, by unit, so that it can be picked and found.
            "matrix_places": [names[place] for place in np.argsort(order) // block],
        }

    def templates(self, run: Run, memory: tuple[LayerInfo, int], view: dict[str, Any], theme: Any) -> dict[str, Any]:
        side, _ = matrix_side(memory[0].units)
        return {
            "figures": {"cosines": figures.cosines(theme, side, units(memory[0])[:-1])},
            "texts": {"similarity-matrix": {"$": "matrix_said", "at": "epoch"}},
            "lists": {},
        }


def cell_names(order: np.ndarray, block: int, noun: str) -> list[str]:
    """What a row of cells stands for: a unit, or as many as a block holds."""
    groups = [order[i : i + block] for i in range(0, len(order), block)]
    return [f"{noun} {part[0]}" if len(part) == 1 else f"{noun}s {', '.join(map(str, part))}" for part in groups]


def matrix_side(n_units: int) -> tuple[int, int]:
    """Cells a side, and units a cell."""
    block = -(-n_units // SIDE)
    return -(-n_units // block), block


def block_means(matrix: np.ndarray, block: int) -> np.ndarray:
    """Means over square blocks, gaps left out."""
    if block == 1:
        return matrix
    side = len(matrix) // block
    blocks = matrix.reshape(side, block, side, block)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0).sum(axis=(1, 3))
    return np.divide(total, count, out=np.full((side, side), np.nan), where=count > 0)
