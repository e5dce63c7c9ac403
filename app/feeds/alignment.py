"""Do weight vectors collapse onto few directions? Each epoch's angles, against epoch 0 and against chance."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from prunescope.app.feeds.layers import epoch_of
from prunescope.app.feeds.others import other_run, same_layer
from prunescope.app.feeds.words import chosen_layer, epoch_text, minus, signed, spelled, units
from prunescope.app.figures import alignment as figures
from prunescope.engine.geometry import angle_distribution, angle_null, match_clusters, weighted_null, z_score
from prunescope.engine.store import LayerInfo, Run

# Random directions scatter: below three standard deviations nothing is claimed.
CLAIM_Z = 3.0
# And a difference that no eye would see is not worth a sentence, however certain.
CLAIM_DEGREES = 0.5

EDGES = np.arange(0.0, 92.0, 2.0)
GRID = np.arange(0.0, 91.0, 1.0)
BANDWIDTH = 2.5


@dataclass
class AlignmentMemory:
    """What all epochs of one layer and one set of settings share."""

    run_name: str
    layer: LayerInfo
    n_clusters: int
    percentile: float
    weighting: str
    normalisation: str
    other: Run | None = None
    null: Any = None
    kept: int = 0
    labels: np.ndarray | None = None
    centers: np.ndarray | None = None
    null_curves: np.ndarray = field(default_factory=lambda: np.zeros((2, len(GRID))), repr=False)


def density(angles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Smoothed count of units per histogram bar: Gaussian kernel of 2.5°, mirrored at 0° and 90°."""
    mirrored = np.concatenate([angles, -angles, 180 - angles])
    kernel = np.exp(-0.5 * ((GRID[:, None] - mirrored[None, :]) / BANDWIDTH) ** 2)
    scale = (EDGES[1] - EDGES[0]) / (BANDWIDTH * np.sqrt(2 * np.pi))
    return kernel @ np.tile(weights, 3) * scale


class AlignmentFeed:
    """Angles to the nearest of k centres, with their null."""

    keys = ("layer", "k", "pct", "weight", "normalise", "with")

    def begin(self, run: Run, view: dict[str, Any]) -> AlignmentMemory:
        layer = chosen_layer(run, view["layer"])
        memory = AlignmentMemory(
            run_name=run.name,
            layer=layer,
            n_clusters=min(int(view["k"]), layer.units),
            percentile=float(view["pct"]),
            weighting=view["weight"],
            normalisation="center" if view["normalise"] == "centred" else "none",
            other=other_run(run, view["with"]) if view["with"] else None,
        )
        if memory.other is not None:
            same_layer(run, memory.other, layer)
        weights = run.weights(layer.name, float(run.epochs[0]))
        found = self._distribution(memory, weights)
        memory.kept = int(found.kept.sum())
        # The null stands for random directions of the same number, dimension and clusters.
        memory.null = angle_null(memory.kept, found.dimensions, memory.n_clusters, draws=20, seed=0)
        ones = np.ones(memory.kept)
        memory.null_curves = np.stack([density(draw, ones) for draw in memory.null.angles])
        return memory

    @staticmethod
    def _distribution(memory: AlignmentMemory, weights: np.ndarray) -> Any:
        return angle_distribution(
            weights,
            memory.n_clusters,
            norm_threshold_percentile=memory.percentile,
            weighting=memory.weighting,
            normalisation=memory.normalisation,
            seed=0,
        )

    def row(self, run: Run, memory: AlignmentMemory, index: int, epoch: float) -> dict[str, Any]:
        layer = memory.layer
        weights = run.weights(layer.name, epoch)
        beside = self._beside(memory, epoch)
        try:
            found = self._distribution(memory, weights)
        except ValueError as problem:
            return self._empty(memory, epoch, str(problem)) | beside
        labels, centers = found.labels, found.centers
        if memory.labels is not None:
            # Cluster 2 of this epoch is whatever cluster 2 of the last one became: colours keep their meaning.
            renamed = match_clusters(memory.labels, labels, memory.centers, centers)
            centers = centers[np.argsort(renamed)]
            labels = np.where(labels >= 0, renamed[np.clip(labels, 0, None)], -1)
        memory.labels, memory.centers = labels, centers

        kept = found.kept
        angles, norms = found.angles[kept], found.norms
        counts = found.weights[kept] * kept.sum() / found.weights[kept].sum()
        null = self._null(memory, kept, norms, found.dimensions)
        effect = found.mean - null.mean
        z = z_score(found.mean, null)
        sizes = np.bincount(labels[kept], minlength=memory.n_clusters)
        means = [angles[labels[kept] == c].mean() if sizes[c] else np.nan for c in range(memory.n_clusters)]
        noun = units(layer)
        label_left = found.mean > 40
        bars = np.histogram(np.clip(angles, 0, 89.999), EDGES, weights=counts)[0]
        return beside | {
            "bars": bars,
            "top": self._top(memory, float(bars.max())),
            "density": density(angles, counts),
            "labels": labels,
            "angles": found.angles,
            "norms": norms,
            "sizes": sizes,
            "cluster_means": np.asarray(means, dtype=float),
            "mean": float(found.mean),
            "effect": float(effect),
            "z": float(z),
            "label_x": 0.012 if label_left else 0.988,
            "label_anchor": "left" if label_left else "right",
            "label_now": f"{epoch_text(epoch)} · mean {found.mean:.1f}°",
            "label_first": f"epoch 0 · mean {found.mean:.1f}°",
            "label_null": f"random directions · {null.mean:.1f}° ± {null.sd:.1f}°",
            "finding": self._finding(layer, memory.n_clusters, effect, z),
            "sub": self._sub(memory, epoch),
            "big": minus(f"{effect:+.1f}°"),
            "big_error": f"± {null.sd:.1f}",
            "z_text": f"z = {signed(z, 0 if abs(z) >= 10 else 1)}",
            "clusters": [
                f"{size} {noun if size != 1 else noun[:-1]} · {mean:.1f}°" if size else "empty"
                for size, mean in zip(sizes, means, strict=True)
            ],
        }

    def _beside(self, memory: AlignmentMemory, epoch: float) -> dict[str, Any]:
        """The other network's angles to its own centres, counted as many as this one's."""
        if memory.other is None:
            return {}
        at = epoch_of(memory.other, epoch)
        try:
            found = self._distribution(memory, memory.other.weights(memory.layer.name, at))
        except ValueError:
            return {"density_other": np.full(len(GRID), np.nan), "label_other": f"{memory.other.name}: no angles"}
        kept = found.kept
        counts = found.weights[kept] * memory.kept / found.weights[kept].sum()
        label = f"{memory.other.name}, {epoch_text(at)} · mean {found.mean:.1f}°"
        return {"density_other": density(found.angles[kept], counts), "label_other": label}

    @staticmethod
    def _top(memory: AlignmentMemory, highest: float) -> float:
        """Upper end of the count axis: room for the labels, in steps, so that it seldom moves."""
        band = memory.null_curves.mean(axis=0) + 2 * memory.null_curves.std(axis=0, ddof=1)
        step = max(1.0, memory.kept / 30)
        return float(np.ceil(1.36 * max(highest, band.max()) / step) * step)

    @staticmethod
    def _null(memory: AlignmentMemory, kept: np.ndarray, norms: np.ndarray, dimensions: int) -> Any:
        null = memory.null
        if null.angles.shape[1] != kept.sum():
            # Units that died since the first epoch (norm 0) are missing in the null as well.
            null = angle_null(int(kept.sum()), dimensions, memory.n_clusters, draws=20, seed=0)
        return null if memory.weighting == "equal" else weighted_null(null, norms[kept])

    @staticmethod
    def _finding(layer: LayerInfo, n_clusters: int, effect: float, z: float) -> str:
        directions = f"{spelled(n_clusters)} direction" + ("" if n_clusters == 1 else "s")
        who = f"{units(layer).capitalize()} of {layer.name}"
        if z <= -CLAIM_Z and effect <= -CLAIM_DEGREES:
            return f"{who} stand {-effect:.1f}° closer to {directions} than by chance."
        if z >= CLAIM_Z and effect >= CLAIM_DEGREES:
            return f"{who} stand {effect:.1f}° further from {directions} than by chance."
        return f"{who} point in no preferred direction: {minus(f'{effect:+.1f}')}° against chance, z = {signed(z)}."

    @staticmethod
    def _sub(memory: AlignmentMemory, epoch: float) -> str:
        parts = [
            memory.run_name,
            memory.layer.name,
            f"{units(memory.layer, memory.layer.units)} in {memory.layer.fan_in} dimensions",
            epoch_text(epoch),
        ]
        if memory.kept < memory.layer.units:
            parts.append(f"{memory.kept} above the norm threshold")
        parts.append("weighted by norm" if memory.weighting == "norm" else "counted equally")
        if memory.normalisation != "none":
            parts.append("mean direction removed")
        return " · ".join(parts)

    def _empty(self, memory: AlignmentMemory, epoch: float, problem: str) -> dict[str, Any]:
        n, k = memory.layer.units, memory.n_clusters
        gap = np.full(k, np.nan)
        return {
            "bars": np.zeros(len(EDGES) - 1),
            "top": self._top(memory, 0.0),
            "density": np.zeros(len(GRID)),
            "labels": np.full(n, -1),
            "angles": np.full(n, np.nan),
            "norms": np.full(n, np.nan),
            "sizes": np.zeros(k, dtype=int),
            "cluster_means": gap,
            "mean": np.nan,
            "effect": np.nan,
            "z": np.nan,
            "label_x": 0.012,
            "label_anchor": "left",
            "label_now": epoch_text(epoch),
            "label_first": "epoch 0",
            "label_null": "",
            "finding": f"No angles at {epoch_text(epoch)}: {problem}",
            "sub": self._sub(memory, epoch),
            "big": "–",
            "big_error": "",
            "z_text": "",
            "clusters": ["" for _ in range(k)],
        }

    def templates(self, run: Run, memory: AlignmentMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        curves = memory.null_curves
        return {
            "figures": {
                "angles": figures.angle_histogram(
                    EDGES,
                    GRID,
                    curves.mean(axis=0),
                    curves.std(axis=0, ddof=1),
                    theme,
                    view["against"],
                    units(memory.layer),
                    beside=memory.other is not None,
                ),
                "ridge": figures.ridgeline(GRID, theme),
                "sizes": figures.cluster_sizes(memory.n_clusters, theme, units(memory.layer)),
            },
            "texts": figures.texts(),
            "lists": {"alignment-clusters": figures.cluster_list(memory.n_clusters, theme)},
        }

    def settled(self, memory: AlignmentMemory) -> dict[str, Any]:
        return {"layer": memory.layer.name}
