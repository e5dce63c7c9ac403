"""Norms of weight vectors over training, and how far each has turned from its initialisation."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import (
    Floats,
    Ints,
    angle_between,
    as_trajectory,
    as_weights,
    pearson,
    row_cosines,
    row_norms,
    unit_rows,
)
from prunescope.engine.geometry.frames import cosine_matrix
from prunescope.engine.geometry.pairs import Weights


class NormHistograms(NamedTuple):
    """Counts of units per norm bin and epoch, in bins common to all epochs.

    counts : (epochs, bins) int
    edges : (bins + 1,) in weight units
    """

    counts: Ints
    edges: Floats


class InitComparison(NamedTuple):
    """Each unit's final norm against its turn since initialisation.

    norms, initial_norms : (n_units,)
    cosines : (n_units,) to the initial direction
    angles : (n_units,) degrees to the initial direction
    distances : (n_units,) ‖w − w⁰‖
    correlation, p_value : Pearson's, of norm and cosine; nan for fewer than 3 units
    """

    norms: Floats
    initial_norms: Floats
    cosines: Floats
    angles: Floats
    distances: Floats
    correlation: float
    p_value: float


class OrderedCosines(NamedTuple):
    """Cosine matrix with the units of a cluster side by side.

    matrix : (n_units, n_units) in the new order
    order : (n_units,) unit number of each row: by cluster, then by mean cosine inside the cluster
    boundaries : row at which each cluster but the first begins
    """

    matrix: Floats
    order: Ints
    boundaries: Ints


def unit_norms(weights: npt.ArrayLike) -> Floats:
    """‖w_i‖ of a (n_units, fan_in) layer: (n_units,); pruned units have 0."""
    return row_norms(as_weights(weights))


def norm_spread(weights: npt.ArrayLike) -> float:
    """Standard deviation of the norms over their mean, 0 for equal norms; nan if all are 0."""
    norms = unit_norms(weights)
    return float(norms.std() / norms.mean()) if norms.any() else float("nan")


def norm_histograms(trajectory: npt.ArrayLike, bins: int = 40) -> NormHistograms:
    """Norm histogram of every epoch of a (epochs, n_units, fan_in) trajectory."""
    array = as_trajectory(trajectory)
    norms = np.stack([unit_norms(weights) for weights in array])
    edges = np.histogram_bin_edges(norms, bins=bins)
    counts = np.stack([np.histogram(row, bins=edges)[0] for row in norms])
    return NormHistograms(counts, edges)


def compare_to_init(initial: npt.ArrayLike, weights: npt.ArrayLike) -> InitComparison:
    """Norm, cosine, angle and distance of each unit to its own initialisation.

    Parameters
    ----------
    initial, weights : (n_units, fan_in), the same units; no row of norm 0
    """
    before, after = as_weights(initial, "initial"), as_weights(weights)
    if before.shape != after.shape:
        raise ValueError(f"initial: shape {before.shape}, weights {after.shape}; expected the same layer twice.")
    cosines = row_cosines(before, after, ("initial", "weights"))
    angles = np.degrees(np.arccos(cosines))
    # Near 0 and 180 degrees arccos loses half of the digits; elsewhere the longer way gains nothing.
    straight = np.abs(cosines) > 0.9
    if straight.any():
        angles[straight] = angle_between(unit_rows(before[straight]), unit_rows(after[straight]))
    norms = row_norms(after)
    distances = row_norms(after - before)
    return InitComparison(norms, row_norms(before), cosines, angles, distances, *pearson(norms, cosines))


def ordered_cosines(weights: Weights, labels: npt.ArrayLike) -> OrderedCosines:
    """Cosine matrix ordered by cluster; label −1 (ignored units) comes last.

    Parameters
    ----------
    weights : (n_units, fan_in), no row of norm 0
    labels : (n_units,) int
    """
    cosines = cosine_matrix(weights)
    names = np.asarray(labels, dtype=np.int64)
    if names.shape != (len(cosines),):
        raise ValueError(f"labels: shape {names.shape}, expected one label for each of {len(cosines)} units.")
    same = names[:, None] == names
    fit = (cosines * same).sum(axis=1) / same.sum(axis=1)
    last = np.where(names < 0, np.iinfo(np.int64).max, names)
    order = np.lexsort((-fit, last))
    boundaries = np.flatnonzero(np.diff(names[order])) + 1
    return OrderedCosines(cosines[np.ix_(order, order)], order, boundaries)
