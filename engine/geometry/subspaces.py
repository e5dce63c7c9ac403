"""The subspace that training leaves behind: residuals, angles between subspaces, joint SVD.

A layer's weight vectors are the columns of Wᵀ, so "left singular vectors" in the author's report
are directions of the input space here: (rank, fan_in) rows, orthonormal.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import (
    Floats,
    as_trajectory,
    as_weights,
    pearson,
    row_norms,
    unit_rows,
)
from prunescope.engine.geometry.spectrum import strongest_directions


class TopNormStatistics(NamedTuple):
    """Is a unit of large norm more like the others, and closer to the trained subspace?

    units : (n_top,) the units looked at, largest norm first
    norms : (n_top,)
    similarity : (n_top,) mean cosine to the other units of the selection
    residual : (n_top,) ‖w − Pw‖/‖w‖ to the subspace
    subspace_similarity : (n_top,) mean cosine to the others after projection into the subspace
    correlations : name → (Pearson's r with the norm, two-sided p)
    """

    units: npt.NDArray[np.int64]
    norms: Floats
    similarity: Floats
    residual: Floats
    subspace_similarity: Floats
    correlations: dict[str, tuple[float, float]]


class JointSVD(NamedTuple):
    """Singular value decomposition of two networks' stacked weight vectors.

    values : (rank,) descending
    directions : (n_directions, fan_in) orthonormal, the strongest first
    first, second : (n_units, n_directions) coordinates of each network's units
    first_share : (n_directions,) share of the first network in each value², in [0, 1]

    rank counts the values above 1e-6 of the largest: below, the directions are arbitrary.
    """

    values: Floats
    directions: Floats
    first: Floats
    second: Floats
    first_share: Floats


def trained_subspace(weights: npt.ArrayLike, rank: int) -> Floats:
    """The `rank` strongest input directions of a (n_units, fan_in) layer: (rank, fan_in), orthonormal."""
    array = as_weights(weights)
    if not 1 <= rank <= min(array.shape):
        raise ValueError(f"rank: {rank}, expected 1 to min(N, d) = {min(array.shape)}.")
    directions = strongest_directions(array, rank)[2]
    # Directions of vanishing singular values come out of the Gram matrix skewed.
    return np.linalg.qr(directions.T)[0].T


def subspace_residuals(trajectory: npt.ArrayLike, subspace: npt.ArrayLike) -> Floats:
    """What of each weight vector lies outside the subspace, at each epoch.

    The least-squares residual on orthonormal directions, ‖w − Pw‖/‖w‖: 0 inside, 1 at a right
    angle; a random direction has √(1 − rank/d). nan for a vector of norm 0. Exact to about 1e-8.

    Parameters
    ----------
    trajectory : (epochs, n_units, fan_in)
    subspace : (rank, fan_in) orthonormal rows, from `trained_subspace` of the last epoch

    Returns
    -------
    (epochs, n_units) float64
    """
    array, directions = as_trajectory(trajectory), as_weights(subspace, "subspace")
    if directions.shape[1] != array.shape[2]:
        raise ValueError(f"subspace: fan-in {directions.shape[1]}, the trajectory has {array.shape[2]}.")
    result = np.full(array.shape[:2], np.nan)
    for epoch, snapshot in enumerate(array):
        weights = as_weights(snapshot, f"trajectory[{epoch}]")
        norms = row_norms(weights)
        inside = row_norms(weights @ directions.T)
        # Pythagoras on the orthonormal directions: no second array of the layer's size.
        np.divide(inside, norms, out=result[epoch], where=norms > 0)
    return np.sqrt(np.maximum(1 - np.square(result), 0))


def top_norm_statistics(weights: npt.ArrayLike, subspace: npt.ArrayLike, n_top: int) -> TopNormStatistics:
    """Pearson correlation of the norm with three properties, over the units of largest norm.

    Parameters
    ----------
    weights : (n_units, fan_in), the top ones of norm > 0
    subspace : (rank, fan_in) orthonormal rows
    n_top : 2 … n_units
    """
    array, directions = as_weights(weights), as_weights(subspace, "subspace")
    if not 2 <= n_top <= len(array):
        raise ValueError(
            f"n_top: {n_top}, expected 2 to {len(array)} units: a correlation needs two, and there are no more."
        )
    norms = row_norms(array)
    units = np.argsort(-norms, kind="stable")[:n_top].astype(np.int64)
    top = array[units]
    inside = top @ directions.T
    measures = {
        "similarity": _mean_cosine_to_others(unit_rows(top)),
        "residual": subspace_residuals(top[None], directions)[0],
        "subspace_similarity": _mean_cosine_to_others(unit_rows(inside, "weights inside the subspace")),
    }
    correlations = {name: pearson(norms[units], values) for name, values in measures.items()}
    return TopNormStatistics(units, norms[units], **measures, correlations=correlations)


def principal_angles(first: npt.ArrayLike, second: npt.ArrayLike, rank: int) -> Floats:
    """Angles between the trained subspaces of two layers or epochs, ascending: (rank,) degrees.

    Parameters
    ----------
    first, second : (n_units, fan_in), of equal fan-in
    rank : dimensions of both subspaces

    References
    ----------
    Björck & Golub 1973; Knyazev & Argentati 2002.
    """
    from scipy.linalg import subspace_angles

    a, b = trained_subspace(first, rank), trained_subspace(second, rank)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"second: fan-in {b.shape[1]}, first has {a.shape[1]}; subspaces of one space are needed.")
    return np.degrees(subspace_angles(a.T, b.T))[::-1]


def joint_svd(first: npt.ArrayLike, second: npt.ArrayLike, n_directions: int | None = None) -> JointSVD:
    """SVD of both layers' rows stacked: which directions do two networks share?

    Parameters
    ----------
    first, second : (n_units, fan_in), of equal fan-in
    n_directions : the strongest ones only; all of them unless given. `values` are always all
    """
    a, b = as_weights(first, "first"), as_weights(second, "second")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"second: fan-in {b.shape[1]}, first has {a.shape[1]}; the same inputs are needed.")
    if n_directions is not None and n_directions < 1:
        raise ValueError(f"n_directions: {n_directions}, expected at least 1, or None for all.")
    stacked = np.vstack([a, b])
    left, values, directions = strongest_directions(stacked, n_directions or min(stacked.shape))
    values = values[values > 1e-6 * values[0]]
    count = min(len(values), len(directions))
    left, directions = left[:, :count], directions[:count]
    strongest = directions[np.arange(count), np.abs(directions).argmax(axis=1)]
    signs = np.where(strongest < 0, -1.0, 1.0)
    coordinates = left * (values[:count] * signs)
    shares = np.square(left[: len(a)]).sum(axis=0)
    return JointSVD(values, directions * signs[:, None], coordinates[: len(a)], coordinates[len(a) :], shares)


def _mean_cosine_to_others(directions: Floats) -> Floats:
    return (directions @ directions.sum(axis=0) - 1) / (len(directions) - 1)
