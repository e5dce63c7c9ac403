"""How did each filter get there? Every epoch's weight vectors in one declared basis."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from prunescope.app.feeds.layers import epoch_of
from prunescope.app.feeds.others import other_run, same_layer
from prunescope.app.feeds.words import chosen_layer, epoch_text, units
from prunescope.app.figures import trajectories as figures
from prunescope.engine.geometry import match_clusters, project_trajectory, spherical_kmeans
from prunescope.engine.store import LayerInfo, Run

COMPONENTS = 3
# How near a direction counts as "along" a pattern: four of them leave chance 4 × 2 × 5° of the circle, 11 %.
ALONG_DEGREES = 5.0
# The basis of a larger trajectory is fitted on epochs at even distances, and says so: the server's memory is
# bounded whatever a run holds. Every epoch is drawn all the same.
FIT_BYTES = 256 * 2**20


@dataclass
class TrajectoriesMemory:
    run_name: str
    layer: LayerInfo
    n_clusters: int
    basis: str
    fitted_until: float
    fitted_on: tuple[int, int]
    components: np.ndarray
    mean: np.ndarray
    explained: np.ndarray
    plane: bool
    # XORD's own plane, where the theory says which directions to expect.
    patterns: bool
    first: np.ndarray
    other: Run | None = None
    reach: float = 0.0
    labels: np.ndarray | None = None
    centers: np.ndarray | None = None


def fitted_part(run: Run, layer: LayerInfo, count: int, other: Run | None) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` snapshots, or as many of them as `FIT_BYTES` hold, both ends included.

    Returns this run's units, and the same with those of the other run below them: a basis of one network's own
    would hold next to nothing of another one.
    """
    each = layer.units + (0 if other is None else other.layer(layer.name).units)
    most = max(2, FIT_BYTES // (4 * each * layer.fan_in))
    if count <= most:
        chosen, own = run.epochs[:count], run.trajectory(layer.name, stop=count)
    else:
        chosen = run.epochs[np.linspace(0, count - 1, most).round().astype(int)]
        own = np.stack([run.weights(layer.name, epoch) for epoch in chosen])
    if other is None:
        return own, own
    theirs = np.stack([other.weights(layer.name, epoch_of(other, float(epoch))) for epoch in chosen])
    # Where the other run has diverged, this one's own directions are all there are.
    return own, np.concatenate([own, theirs[:, np.isfinite(theirs).all(axis=(0, 2))]], axis=1)


class TrajectoriesFeed:
    """Projections onto a basis that is fitted once and then kept, so that no path ever jumps."""

    keys = ("layer", "basis", "fit", "k", "with")

    def begin(self, run: Run, view: dict[str, Any]) -> TrajectoriesMemory:
        layer = chosen_layer(run, view["layer"])
        other = other_run(run, view["with"]) if view["with"] else None
        if other is not None:
            same_layer(run, other, layer)
        epochs = run.epochs
        # The link carries the epoch of the fit: the same picture tomorrow, whatever was trained since.
        until = float(epochs[-1]) if view["fit"] < 0 else float(view["fit"])
        count = max(1, int(np.searchsorted(epochs, until, side="right")))
        plane = layer.fan_in == 2
        trajectory, both = fitted_part(run, layer, count, other)
        if plane:
            components, mean = np.eye(2), np.zeros(2)
            explained = np.full(2, np.nan)
        else:
            fitted = project_trajectory(both, n_components=min(COMPONENTS, layer.fan_in), basis=view["basis"])
            components, mean, explained = fitted.components, fitted.mean, fitted.explained_variance_ratio
        return TrajectoriesMemory(
            run_name=run.name,
            layer=layer,
            n_clusters=min(int(view["k"]), layer.units),
            basis=view["basis"],
            fitted_until=float(epochs[count - 1]),
            fitted_on=(len(trajectory), count),
            components=components,
            mean=mean,
            explained=explained,
            plane=plane,
            patterns=plane and run.config.get("dataset") == "xord",
            first=trajectory[0].astype(np.float64),
            other=other,
        )

    def row(self, run: Run, memory: TrajectoriesMemory, index: int, epoch: float) -> dict[str, Any]:
        weights = run.weights(memory.layer.name, epoch).astype(np.float64)
        n = memory.layer.units
        centred = weights - memory.mean
        points = centred @ memory.components.T
        if points.shape[1] < COMPONENTS:
            points = np.pad(points, ((0, 0), (0, COMPONENTS - points.shape[1])))
        norms = np.linalg.norm(weights, axis=1)
        drawn, drawn_norms = self._drawn(memory, points, norms, epoch)
        labels = np.zeros(n, dtype=int)
        if (norms > 0).all() and np.isfinite(weights).all():
            found = spherical_kmeans(weights, memory.n_clusters, seed=0)
            labels, centers = found.labels, found.centers
            if memory.labels is not None:
                renamed = match_clusters(memory.labels, labels, memory.centers, centers)
                labels, centers = renamed[labels], centers[np.argsort(renamed)]
            memory.labels, memory.centers = labels, centers
        moved = np.linalg.norm(weights - memory.first, axis=1)
        total = np.square(weights - weights.mean(axis=0)).sum()
        spread = np.square(points - points.mean(axis=0)).sum(axis=0)
        explained = spread / total if total > 0 else np.zeros(COMPONENTS)
        # The rays only grow: shrinking ones would move the picture about.
        memory.reach = max(memory.reach, 1.1 * float(norms.max()))
        rays = figures.rays(memory.reach) if memory.patterns else {}
        shown = float(explained[:2].sum())
        return {
            "x": drawn[:, 0],
            "y": drawn[:, 1],
            "z": drawn[:, 2],
            **rays,
            "labels": labels if memory.other is None else (np.arange(len(drawn)) >= n).astype(int),
            "norms": drawn_norms,
            "moved": np.percentile(moved, [25, 50, 75]),
            "explained": explained,
            "finding": self._finding(memory, weights, moved, epoch),
            "sub": " · ".join(
                [
                    memory.run_name,
                    memory.layer.name,
                    f"{units(memory.layer, n)} in {memory.layer.fan_in} dimensions",
                    epoch_text(epoch),
                    *beside_words(memory.other, epoch),
                ]
            ),
            "big": "all" if memory.plane else f"{100 * shown:.0f} %",
            "big_note": "of the weights: nothing is projected here"
            if memory.plane
            else "of this epoch's variance lies in the two axes",
            "basis_note": "The plane itself: both weights of each neuron"
            + (", and the task's four patterns." if memory.patterns else ".")
            if memory.plane
            else f"PCA of {self._basis_words(memory)}, fitted at {epoch_text(memory.fitted_until)}; later epochs are "
            "projected, never refitted.",
        }

    @staticmethod
    def _drawn(
        memory: TrajectoriesMemory, points: np.ndarray, norms: np.ndarray, epoch: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """This network's points, and below them the other's, projected into the same basis."""
        if memory.other is None:
            return points, norms
        theirs = memory.other.weights(memory.layer.name, epoch_of(memory.other, epoch)).astype(np.float64)
        beside = (theirs - memory.mean) @ memory.components.T
        beside = np.pad(beside, ((0, 0), (0, COMPONENTS - beside.shape[1])))
        return np.vstack([points, beside]), np.concatenate([norms, np.linalg.norm(theirs, axis=1)])

    @staticmethod
    def _basis_words(memory: TrajectoriesMemory) -> str:
        used, there = memory.fitted_on
        which = "all weight vectors" if used == there else f"the weight vectors of {used} of {there} snapshots"
        words = {
            "all": f"{which} of epochs 0 to {memory.fitted_until:g}",
            "first": "the weight vectors of epoch 0",
            "last": f"the weight vectors of epoch {memory.fitted_until:g}",
        }[memory.basis]
        return words if memory.other is None else f"{words}, of both runs"

    @staticmethod
    def _finding(memory: TrajectoriesMemory, weights: np.ndarray, moved: np.ndarray, epoch: float) -> str:
        noun = units(memory.layer)
        start = np.linalg.norm(memory.first, axis=1)
        if epoch == 0 or not moved.any():
            return f"{noun.capitalize()} of {memory.layer.name} stand where they were initialised."
        if memory.patterns:
            share = share_along_patterns(weights - memory.first)
            return (
                f"{100 * share:.0f} % of what {memory.layer.name} has moved runs along the four patterns; chance: 11 %."
            )
        ratio = float(np.median(moved) / max(np.median(start), 1e-12))
        share = float(moved[np.argsort(moved)[-max(1, len(moved) // 10) :]].sum() / moved.sum())
        times = f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}"
        return (
            f"{noun.capitalize()} of {memory.layer.name} moved {times} times their initial length; "
            f"a tenth of them did {100 * share:.0f} % of the way."
        )

    def templates(self, run: Run, memory: TrajectoriesMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        titles = self._titles(memory)
        dims = "2" if memory.plane else view["dims"]
        return {
            "figures": {
                "paths": figures.paths(
                    theme,
                    dims=dims,
                    colour=view["colour"],
                    n_clusters=memory.n_clusters,
                    titles=titles,
                    plane=memory.patterns,
                    noun=units(memory.layer)[:-1],
                    networks=() if memory.other is None else (memory.run_name, memory.other.name),
                ),
                "moved": figures.distance_moved(theme),
                "explained": figures.variance_explained(theme, titles[: 3 if dims == "3" else 2]),
            },
            "texts": figures.texts(),
            "lists": {},
        }

    @staticmethod
    def _titles(memory: TrajectoriesMemory) -> tuple[str, ...]:
        if memory.plane:
            return ("first weight", "second weight", "")
        return tuple(
            f"PC {i + 1}" + (f" ({100 * share:.1f} %)" if np.isfinite(share) else "")
            for i, share in enumerate([*memory.explained, np.nan, np.nan][:3])
        )

    def settled(self, memory: TrajectoriesMemory) -> dict[str, Any]:
        return {"layer": memory.layer.name, "fit": memory.fitted_until}


def beside_words(other: Run | None, epoch: float) -> list[str]:
    """The second network of the picture, and when it is shown."""
    return [] if other is None else [f"with {other.name} at {epoch_text(epoch_of(other, epoch))}"]


def share_along_patterns(moved: np.ndarray) -> float:
    """How much of the way, summed over neurons, lies within 5° of one of XORD's four patterns, the diagonals.

    Parameters
    ----------
    moved : (n_units, 2)

    Returns
    -------
    share of the length in [0, 1]; 11 % for directions without preference
    """
    lengths = np.linalg.norm(moved, axis=1)
    # The diagonals stand at 45° and then every 90°.
    degrees = np.degrees(np.arctan2(moved[:, 1], moved[:, 0]))
    aside = np.abs(degrees % 90 - 45)
    return float(lengths[aside <= ALONG_DEGREES].sum() / lengths.sum())
