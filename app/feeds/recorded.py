"""What pages about many runs read of each: its curves, and the structure of its layers at the end. Remembered."""

from collections.abc import Callable
from typing import Any

import numpy as np
from prunescope.app.feeds.kernel import MOST_UNITS, width_over
from prunescope.app.feeds.overview import layer_numbers
from prunescope.engine.geometry import (
    AngleNull,
    angle_null,
    compare_to_init,
    components,
    cosine_matrix,
    direction_clusters,
    edge_weights,
    expected_frame_potential,
    frame_potential,
    mean_abs_inner_product,
    principal_angles,
    principal_basis,
    reconstruction_error,
    singular_values,
    spectral_density,
    spherical_kmeans,
    stable_rank,
    z_score,
)
from prunescope.engine.recent import Recent
from prunescope.engine.store import Run

KEPT = 20_000
CLUSTERS = 4
NULL_DRAWS = 20
# Where two units stand near enough to be joined in the similarity graph.
CUTOFF = 0.5
# Dimensions of the trained subspaces that are compared, at most.
SUBSPACE = 10
# Of a clustering; chance is clustered as often as the data, or it would be no chance.
STARTS = 3
# From a layer's living units (units, fan_in) and where these began.
NUMBERS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "angle": lambda weights, initial: layer_numbers(weights)[0],
    "rank": lambda weights, initial: layer_numbers(weights)[1],
    "spread": lambda weights, initial: layer_numbers(weights)[2],
    "potential": lambda weights, initial: frame_potential(weights) / expected_frame_potential(*weights.shape),
    "cosine": lambda weights, initial: mean_abs_inner_product(weights),
    "moved": lambda weights, initial: float(np.linalg.norm(weights - initial, axis=1).mean()),
    "turned": lambda weights, initial: float(compare_to_init(initial, weights).angles.mean()),
    "tilted": lambda weights, initial: float(
        principal_angles(initial, weights, min(SUBSPACE, *weights.shape)).mean()
    ),
    "stable": lambda weights, initial: stable_rank(singular_values(weights)),
    "knee": lambda weights, initial: float(reconstruction_error(singular_values(weights)).knee),
    "directions": lambda weights, initial: float(len(np.unique(direction_clusters(weights)))),
    "outside": lambda weights, initial: float(spectral_density(weights).above),
}
# What stands in tables; each is a clustering or a decomposition a run and layer.
SOME = ("angle", "rank", "spread")


class Recorded:
    """Numbers of runs by what they are about; a snapshot never changes, so neither does what follows from it."""

    def __init__(self) -> None:
        # What was computed, by what it is about.
        self.once = Recent[tuple[Any, ...], Any](KEPT).once

    def curves(self, run: Run) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Epochs, and each metric over them."""
        key = ("curves", str(run.path), run.created, run.head.n_snapshots)
        return self.once(key, lambda: (np.asarray(run.epochs), run.metrics()))

    def layer_at_the_end(self, run: Run, kind: str, layer: str) -> float:
        """A number of `quantities.OF_LAYERS` of a layer in the newest snapshot; nan where there is none."""
        if not len(run.epochs) or layer not in [info.name for info in run.layers]:
            return np.nan
        epoch = float(run.epochs[-1])
        if kind == "closer":
            return self.effect(run, layer, epoch)
        if kind == "z":
            return self.z(run, layer, epoch)
        if kind == "explained":
            return self.explained(run, layer, epoch)
        if kind in ("groups", "largest"):
            sizes = self.groups(run, layer, epoch)
            return np.nan if not len(sizes) else float(len(sizes) if kind == "groups" else sizes.max() / sizes.sum())

        def compute() -> float:
            weights, initial = run.weights(layer, epoch), run.weights(layer, float(run.epochs[0]))
            # A pruned unit has no direction; a mask that comes later leaves it one at the beginning.
            live = np.isfinite(weights).all(axis=1) & (weights != 0).any(axis=1) & (initial != 0).any(axis=1)
            return float(NUMBERS[kind](weights[live], initial[live])) if live.any() else np.nan

        return self.once(("layer", str(run.path), run.created, layer, epoch, kind), compute)

    def explained(self, run: Run, layer: str, epoch: float) -> float:
        """Share of the variance of all units' paths that two principal components explain, as on Trajectories."""

        def compute() -> float:
            paths = run.trajectory(layer)
            if not np.isfinite(paths).all():
                return np.nan
            return float(principal_basis(paths, min(2, paths.shape[2])).explained_variance_ratio.sum())

        return self.once(("explained", str(run.path), run.created, layer, epoch), compute)

    def groups(self, run: Run, layer: str, epoch: float) -> np.ndarray:
        """Sizes of the groups that the similarity graph joins at `CUTOFF`; empty where no graph can be made."""

        def compute() -> np.ndarray:
            weights = run.weights(layer, epoch)
            norms = np.linalg.norm(weights, axis=1)
            live = np.isfinite(norms) & (norms > 0)
            if not 0 < live.sum() <= MOST_UNITS:
                return np.zeros(0, dtype=np.int64)
            width = width_over(run.weights(layer, float(each)) for each in run.epochs)
            return components(edge_weights(cosine_matrix(weights[live]), width), CUTOFF, norms[live]).sizes

        return self.once(("groups", str(run.path), run.created, layer, epoch), compute)

    def angles(self, run: Run, layer: str, epoch: float) -> np.ndarray:
        """(units,) angle of each to its centre among four, in degrees; nan for a unit without a direction."""

        def compute() -> np.ndarray:
            weights = run.weights(layer, epoch)
            angles = np.full(len(weights), np.nan)
            live = np.flatnonzero(np.isfinite(weights).all(axis=1) & (np.linalg.norm(weights, axis=1) > 0))
            if len(live):
                angles[live] = spherical_kmeans(weights[live], min(CLUSTERS, len(live)), seed=0, n_init=STARTS).angles
            return angles

        return self.once(("angles", str(run.path), run.created, layer, epoch), compute)

    def effect(self, run: Run, layer: str, epoch: float) -> float:
        """How much closer to four directions the units stand than random ones would, in degrees."""
        angles = self.angles(run, layer, epoch)
        null = self._null(run, layer, angles)
        return np.nan if null is None else float(null.mean - np.nanmean(angles))

    def z(self, run: Run, layer: str, epoch: float) -> float:
        """The same in standard deviations of the null; positive is closer."""
        angles = self.angles(run, layer, epoch)
        null = self._null(run, layer, angles)
        return np.nan if null is None else -z_score(float(np.nanmean(angles)), null)

    def _null(self, run: Run, layer: str, angles: np.ndarray) -> AngleNull | None:
        live, fan_in = int(np.isfinite(angles).sum()), run.layer(layer).fan_in
        if live <= CLUSTERS:
            return None
        return self.once(
            ("null", live, fan_in), lambda: angle_null(live, fan_in, CLUSTERS, draws=NULL_DRAWS, seed=0, n_init=STARTS)
        )
