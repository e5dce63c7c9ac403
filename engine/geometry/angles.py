"""Angles of weight vectors to their cluster centers: the alignment view's numbers."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import (
    Bools,
    Floats,
    Ints,
    angle_between,
    as_weights,
    row_norms,
    unit_rows,
)
from prunescope.engine.geometry.clusters import spherical_kmeans

Weighting = Literal["equal", "norm"]


class AngleDistribution(NamedTuple):
    """Angles of the kept units to their own center.

    labels : (n_units,) int cluster of each unit, −1 for ignored units
    angles : (n_units,) degrees to the own center, nan for ignored units
    weights : (n_units,) share of each unit in the mean, sum 1, 0 for ignored units
    mean : weighted mean angle, degrees
    centers : (n_clusters, fan_in) unit vectors, in the normalised space
    kept : (n_units,) bool
    norms : (n_units,) norms of the weight vectors as given
    dimensions : dimension of the sphere that the null has to be drawn on
    """

    labels: Ints
    angles: Floats
    weights: Floats
    mean: float
    centers: Floats
    kept: Bools
    norms: Floats
    dimensions: int


def _standardized(weights: Floats) -> Floats:
    spread = weights.std(axis=0)
    return (weights - weights.mean(axis=0)) / np.where(spread > 0, spread, 1)


NORMALISATIONS: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda weights: weights,
    # The layer's mean weight vector removed: what a common drift of all units hides.
    "center": lambda weights: weights - weights.mean(axis=0),
    # Each weight vector's own mean removed: a filter's shape without its brightness.
    "zero-mean": lambda weights: weights - weights.mean(axis=1, keepdims=True),
    # Every input position at mean 0 and spread 1 over the units.
    "standardize": _standardized,
}


def angles_to_centers(weights: npt.ArrayLike, centers: npt.ArrayLike) -> Floats:
    """Angle between each weight vector and the nearest center.

    Parameters
    ----------
    weights : (n_units, fan_in)
    centers : (n_clusters, fan_in), of any length

    Returns
    -------
    (n_units,)  degrees in [0, 180], float64

    Raises
    ------
    ValueError
        If a row has norm 0 (a pruned unit has no direction) or the fan-ins differ.

    References
    ----------
    Brutzkus & Globerson 2019, MNIST experiment.
    """
    directions, targets = unit_rows(weights), unit_rows(centers, "centers")
    if directions.shape[1] != targets.shape[1]:
        raise ValueError(
            f"centers: fan-in {targets.shape[1]}, the weights have {directions.shape[1]}. "
            f"Use centers of the same layer."
        )
    return angle_between(directions, targets[(directions @ targets.T).argmax(axis=1)])


def angle_distribution(
    weights: npt.ArrayLike,
    n_clusters: int,
    *,
    norm_threshold_percentile: float = 0,
    weighting: Weighting = "equal",
    normalisation: str = "none",
    seed: int = 0,
    n_init: int = 10,
) -> AngleDistribution:
    """Cluster a layer's weight vectors and measure each one's angle to its own center.

    About half of the neurons of a small-init network stay tiny and unaligned, so a plain mean
    hides the alignment of those that matter: raise the threshold, or weight by norm. Units of
    norm 0 (pruned) are always ignored. Compare with `angle_null` of as many units as are kept,
    in `dimensions` dimensions.

    Parameters
    ----------
    weights : (n_units, fan_in)
    n_clusters : 1 … number of kept units
    norm_threshold_percentile : ignore units whose norm is below this percentile of the live
        units' norms, 0 to 100
    weighting : "equal", or "norm" for a mean weighted by ‖w‖
    normalisation : one of NORMALISATIONS, applied to the kept units before clustering
    seed, n_init : of the clustering

    Raises
    ------
    ValueError
        If fewer units than clusters are left, a name is unknown, or values are not finite.

    References
    ----------
    Brutzkus & Globerson 2019, MNIST experiment (k-means with 4 clusters, equal weights).
    """
    _check_choice("normalisation", normalisation, tuple(NORMALISATIONS))
    _check_choice("weighting", weighting, ("equal", "norm"))
    if not 0 <= norm_threshold_percentile <= 100:
        raise ValueError(
            f"norm_threshold_percentile: {norm_threshold_percentile}, expected a percentage from 0 to 100."
        )
    array = as_weights(weights)
    norms = row_norms(array)
    kept = norms > 0
    if kept.any():
        kept &= norms >= np.percentile(norms[kept], norm_threshold_percentile)
    shaped = np.zeros_like(array)
    shaped[kept] = NORMALISATIONS[normalisation](array[kept]) if kept.any() else 0
    # What normalisation reduces to rounding noise (a constant filter) has lost its direction too.
    kept &= row_norms(shaped) > 1e-12 * norms
    if kept.sum() < n_clusters:
        raise ValueError(
            f"weights: {int(kept.sum())} of {len(array)} units have a direction and a norm above "
            f"the threshold, fewer than the {n_clusters} clusters. Ask for fewer or lower the threshold."
        )
    found = spherical_kmeans(shaped[kept], n_clusters, seed, n_init)
    labels = np.full(len(array), -1, dtype=np.int64)
    angles = np.full(len(array), np.nan)
    labels[kept], angles[kept] = found.labels, found.angles
    shares = np.where(kept, norms if weighting == "norm" else 1.0, 0.0)
    shares = shares / shares.sum()
    fan_in = array.shape[1]
    return AngleDistribution(
        labels=labels,
        angles=angles,
        weights=shares,
        mean=float(shares[kept] @ found.angles),
        centers=found.centers,
        kept=kept,
        norms=norms,
        dimensions=max(1, fan_in - 1) if normalisation == "zero-mean" else fan_in,
    )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: {value!r}, expected one of {', '.join(choices)}.")
