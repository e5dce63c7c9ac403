"""The similarity graph: a Gaussian kernel of the cosine, after "Sources of Redundancy in Neural Networks"."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Bools, Floats, Ints, as_trajectory, as_weights, unit_rows
from prunescope.engine.geometry.frames import cosine_matrix

_MOST_BYTES = 2 * 2**30


class Distance(NamedTuple):
    """A dissimilarity D of two directions as a function of their inner product, and its inverse."""

    of_cosine: Callable[[Floats], Floats]
    to_cosine: Callable[[Floats], Floats]


DISTANCES = {
    "half": Distance(lambda x: (1 - x) / 2, lambda d: 1 - 2 * d),  # the author's code
    "chord": Distance(lambda x: np.sqrt(np.maximum(1 - x, 0)), lambda d: 1 - d**2),  # the report: D² = 1 − X
}


class SimilarityGraph(NamedTuple):
    """Weighted graphs of all epochs with one kernel.

    adjacency : (epochs, n_units, n_units) float32 in [0, 1], diagonal 0
    kernel_width : σ, in units of D
    """

    adjacency: Floats
    kernel_width: float


class EdgeWeights(NamedTuple):
    """How edge weights are distributed.

    counts : (bins,) number of edges (pairs i < j)
    edges : (bins + 1,) bin edges from 0 to 1
    reverse_cdf : (bins + 1,) share of edges with a weight ≥ each bin edge
    orthogonal : the weight of an orthogonal pair
    """

    counts: Ints
    edges: Floats
    reverse_cdf: Floats
    orthogonal: float


class Correlations(NamedTuple):
    """Pearson correlations between units' outputs.

    matrix : (n_units, n_units), diagonal 1; 0 for pairs with a constant unit
    constant : (n_units,) bool, units whose output never changes
    """

    matrix: Floats
    constant: Bools


class MergedUnits(NamedTuple):
    """Two networks' units in one array.

    weights : (n_first + n_second, fan_in)
    network : (n_first + n_second,) 0 or 1
    unit : (n_first + n_second,) number inside its network
    """

    weights: Floats
    network: Ints
    unit: Ints


def kernel_width(trajectory: npt.ArrayLike, distance: str = "half") -> float:
    """σ: the mean of D over all pairs (i, j), i = j included, and all epochs.

    For D = (1−X)/2 the mean needs no Gram matrix: Σ_ij X_ij = ‖Σ_i ŵ_i‖².
    """
    array = as_trajectory(trajectory)
    of_cosine = _distance(distance).of_cosine
    if distance == "half":
        means = [(1 - np.square(unit_rows(w).mean(axis=0)).sum()) / 2 for w in array]
    else:
        means = [of_cosine(cosine_matrix(w)).mean() for w in array]
    width = float(np.mean(means))
    return width if width > 1e-12 else 0.0


def edge_weights(similarities: npt.ArrayLike, width: float, distance: str = "half") -> Floats:
    """A = exp(−D²/σ²) with diagonal 0: (n_units, n_units) float64.

    One epoch of the graph; the way to go where all epochs at once would not fit the memory.

    Parameters
    ----------
    similarities : (n_units, n_units), cosines (`cosine_matrix`) or correlations, in [−1, 1]
    width : σ, from `kernel_width`; 0 (all directions equal) joins equal directions only, weight 1
    distance : one of DISTANCES
    """
    matrix = as_weights(similarities, "similarities")
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"similarities: shape {matrix.shape}, expected a square matrix, e.g. cosine_matrix(w).")
    if not width >= 0:
        raise ValueError(f"width: {width}, expected σ ≥ 0, e.g. kernel_width(trajectory).")
    gaps = _distance(distance).of_cosine(np.clip(matrix, -1, 1))
    weights = np.exp(-np.square(gaps / width)) if width > 0 else (gaps <= 1e-12).astype(np.float64)
    np.fill_diagonal(weights, 0)
    return weights


def similarity_graph(trajectory: npt.ArrayLike, distance: str = "half") -> SimilarityGraph:
    """The graph of every epoch: A = exp(−D²/σ²), σ = mean of D over the epochs.

    Parameters
    ----------
    trajectory : (epochs, n_units, fan_in), no row of norm 0
    distance : "half", D = (1−X)/2 (the author's code), or "chord", D² = 1−X (the report's text)

    Raises
    ------
    ValueError
        If the adjacency of all epochs would pass 2 GiB: then call `kernel_width` once and
        `edge_weights` for the epoch on the screen.
    """
    array = as_trajectory(trajectory)
    epochs, n_units, _ = array.shape
    size = epochs * n_units**2 * 4
    if size > _MOST_BYTES:
        raise ValueError(
            f"trajectory: {epochs} epochs of {n_units} units need {size / 2**30:.1f} GiB of adjacency. Call "
            f"kernel_width(trajectory) once and edge_weights(cosine_matrix(weights), width) per epoch."
        )
    width = kernel_width(array, distance)
    adjacency = np.empty((epochs, n_units, n_units), dtype=np.float32)
    for epoch, weights in enumerate(array):
        adjacency[epoch] = edge_weights(cosine_matrix(weights), width, distance)
    return SimilarityGraph(adjacency, width)


def cutoff_inner_product(cutoff: float, width: float, distance: str = "half") -> float:
    """The inner product at which an edge has weight `cutoff`: 1 − 2σ√ln(1/c) for D = (1−X)/2.

    May lie below −1: then every pair is joined.

    Parameters
    ----------
    cutoff : in (0, 1]
    width : σ
    """
    if not 0 < cutoff <= 1:
        raise ValueError(f"cutoff: {cutoff}, expected an edge weight in (0, 1].")
    return float(_distance(distance).to_cosine(np.asarray(width * math.sqrt(-math.log(cutoff)))))


def edge_weight_distribution(
    adjacency: npt.ArrayLike, width: float, bins: int = 50, distance: str = "half"
) -> EdgeWeights:
    """Histogram and reverse CDF of one epoch's edge weights, each pair once.

    Parameters
    ----------
    adjacency : (n_units, n_units), at least two units
    width : σ of the kernel, for the orthogonality line
    """
    matrix = as_weights(adjacency, "adjacency")
    pairs = np.clip(matrix[np.triu_indices(len(matrix), 1)], 0, 1)
    if not pairs.size:
        raise ValueError("adjacency: one unit has no edges. Choose a layer with at least two units.")
    counts, edges = np.histogram(pairs, bins, (0, 1))
    # The last bin holds its right edge as well, which the last stop asks about alone.
    above = np.append(counts[::-1].cumsum()[::-1], np.count_nonzero(pairs == 1))
    at_least = above / pairs.size
    right_angle = float(_distance(distance).of_cosine(np.zeros(())))
    orthogonal = math.exp(-((right_angle / width) ** 2)) if width > 0 else 0.0
    return EdgeWeights(counts, edges, at_least, orthogonal)


def activation_correlations(activations: npt.ArrayLike) -> Correlations:
    """Pearson correlation between the outputs of units: another X for the graph.

    Parameters
    ----------
    activations : (n_examples, n_units) or (n_examples, n_units, …positions); every position of a
        feature map counts as an observation
    """
    array = np.asarray(activations, dtype=np.float64)
    if array.ndim < 2:
        raise ValueError(f"activations: shape {array.shape}, expected (n_examples, n_units, …positions).")
    rows = as_weights(np.moveaxis(array, 1, 0).reshape(array.shape[1], -1), "activations (units as rows)")
    centered = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centered, axis=1)
    constant = lengths <= 1e-12 * np.maximum(np.abs(rows).max(axis=1), 1e-300) * math.sqrt(rows.shape[1])
    shaped = np.where(constant[:, None], 0, centered / np.where(constant, 1, lengths)[:, None])
    matrix = np.clip(shaped @ shaped.T, -1, 1)
    np.fill_diagonal(matrix, 1)
    return Correlations(matrix, constant)


def merge_units(first: npt.ArrayLike, second: npt.ArrayLike) -> MergedUnits:
    """Rows of two networks' same layer stacked, for one graph, projection or clustering of both.

    Parameters
    ----------
    first, second : (n_units, fan_in); the unit counts may differ (a pruned network), the fan-in not
    """
    a, b = as_weights(first, "first"), as_weights(second, "second")
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"second: fan-in {b.shape[1]}, first has {a.shape[1]}. Merge layers that read the same inputs."
        )
    network = np.repeat([0, 1], [len(a), len(b)])
    return MergedUnits(np.vstack([a, b]), network, np.concatenate([np.arange(len(a)), np.arange(len(b))]))


def _distance(name: str) -> Distance:
    if name not in DISTANCES:
        raise ValueError(f"distance: {name!r}, expected one of {', '.join(DISTANCES)}.")
    return DISTANCES[name]
