"""Spherical k-means: which few directions do a layer's weight vectors collapse onto?

Every restart runs in the same matrix product. A center is the sum of its members, so with
the Gram matrix X of the directions and 0/1 membership columns Z, the numerators of all cosines
are X @ Z: when the fan-in is large, an iteration costs n² per cluster and not n · fan_in.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, Ints, angle_between, unit_rows
from prunescope.engine.geometry.pairs import Pairs, live_pairs

_MAX_ITERATIONS = 100
# Above this many entries the search runs in float32 (cosines err by 1e-6; the angles returned do not).
_FLOAT32_ABOVE = 200_000


class SphericalClusters(NamedTuple):
    """Clusters numbered by size, the largest first.

    labels : (n_units,) int, the unit's cluster
    centers : (n_clusters, fan_in) unit vectors
    angles : (n_units,) degrees to the own center
    similarity : sum over units of the cosine to the own center; what the search maximises
    """

    labels: Ints
    centers: Floats
    angles: Floats
    similarity: float


def spherical_kmeans(weights: npt.ArrayLike, n_clusters: int, seed: int = 0, n_init: int = 10) -> SphericalClusters:
    """k-means on the sphere: maximise the summed cosine of each weight vector to its center.

    The best of `n_init` k-means++ starts. The same arguments give the same clusters. A cluster
    that no unit chooses (fewer directions than clusters) keeps as its center the direction of the
    unit that fitted worst; members that cancel exactly keep their first one as the center.

    Parameters
    ----------
    weights : (n_units, fan_in)
    n_clusters : 1 … n_units
    seed : of the starts
    n_init : number of starts

    Raises
    ------
    ValueError
        If a row has norm 0 or is not finite, or there are fewer units than clusters.

    References
    ----------
    Dhillon & Modha 2001 (algorithm); Arthur & Vassilvitskii 2007 (starts);
    Brutzkus & Globerson 2019 (use on filters).
    """
    directions = unit_rows(weights)
    if n_init < 1:
        raise ValueError(f"n_init: {n_init}, expected at least 1 start.")
    labels = partition(directions, n_clusters, np.random.default_rng(seed), n_init)
    centers, labels = _centers_by_size(directions, labels, n_clusters)
    own = centers[labels]
    similarity = float(np.einsum("ij,ij->", directions, own))
    return SphericalClusters(labels, centers, angle_between(directions, own), similarity)


def cluster_labels(pairs: Pairs, n_clusters: int, seed: int = 0, n_init: int = 10) -> Ints:
    """The labels of `spherical_kmeans` from cosines alone, for whoever has these at hand: (n_units,) int.

    Its cost does not depend on the fan-in. The largest cluster is 0.

    Parameters
    ----------
    pairs : no unit of norm 0
    n_clusters, seed, n_init : as in `spherical_kmeans`
    """
    cosines = live_pairs(pairs).cosines
    if n_init < 1:
        raise ValueError(f"n_init: {n_init}, expected at least 1 start.")
    working = cosines.astype(np.float32) if cosines.size > _FLOAT32_ABOVE else cosines
    labels = _search(lambda z: working @ z.astype(working.dtype, copy=False), len(cosines), n_clusters,
                     np.random.default_rng(seed), n_init)  # fmt: skip
    return _by_size(labels, n_clusters)


def match_clusters(
    previous_labels: npt.ArrayLike,
    labels: npt.ArrayLike,
    previous_centers: npt.ArrayLike | None = None,
    centers: npt.ArrayLike | None = None,
) -> Ints:
    """Which earlier cluster is each new cluster? So that a cluster keeps its colour over epochs.

    The matching shares as many units as possible between clusters of one name; equal overlaps
    are decided by the cosine of the centers when both are given. Without counterpart, a cluster
    takes the lowest free number.

    Parameters
    ----------
    previous_labels, labels : (n_units,) int, the same units at two epochs; −1 (ignored) matches nothing
    previous_centers, centers : (n_clusters, fan_in), optional

    Returns
    -------
    (n_clusters,) int; entry j is the name of new cluster j, so that `names[labels]` are the labels
    in the earlier colours and `centers[np.argsort(names)]` the centers in that order.

    Raises
    ------
    ValueError
        If the two labelings are not of the same units.
    """
    from scipy.optimize import linear_sum_assignment  # 0.5 s: only when clusters are compared

    before, after = np.asarray(previous_labels, dtype=np.int64), np.asarray(labels, dtype=np.int64)
    if before.shape != after.shape or before.ndim != 1:
        raise ValueError(
            f"labels: shapes {before.shape} and {after.shape}, expected the same units at both epochs. "
            f"Compare epochs of one layer only."
        )
    n_before = before.max(initial=0) + 1 if previous_centers is None else len(np.asarray(previous_centers))
    n_after = after.max(initial=0) + 1 if centers is None else len(np.asarray(centers))
    overlap = np.zeros((n_after, n_before))
    seen = (before >= 0) & (after >= 0)
    np.add.at(overlap, (after[seen], before[seen]), 1)
    if previous_centers is not None and centers is not None:
        # All cosines together stay below one unit of overlap: they decide ties and nothing else.
        cosines = unit_rows(centers, "centers") @ unit_rows(previous_centers, "previous_centers").T
        overlap += cosines / (4 * max(n_after, n_before))
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    names = np.full(n_after, -1, dtype=np.int64)
    names[rows] = columns
    unmatched = np.flatnonzero(names < 0)
    free = np.setdiff1d(np.arange(n_after + n_before), names)
    names[unmatched] = free[: unmatched.size]
    return names


def partition(directions: Floats, n_clusters: int, rng: np.random.Generator, n_init: int) -> Ints:
    """Labels of the best of `n_init` searches: (n_units,) int. `directions` are unit rows.

    Only the Gram matrix of the directions matters, which is what lets the null model simulate
    them in fewer dimensions.
    """
    product = _gram_product(directions, n_init * n_clusters)
    return _search(product, len(directions), n_clusters, rng, n_init)


def _search(
    product: Callable[[Floats], Floats], n_units: int, n_clusters: int, rng: np.random.Generator, n_init: int
) -> Ints:
    if not 1 <= n_clusters <= n_units:
        raise ValueError(
            f"n_clusters: {n_clusters} for {n_units} units, expected 1 to {n_units}. Ask for fewer clusters."
        )
    members = _plus_plus_starts(product, n_units, n_clusters, n_init, rng)
    return _lloyd(product, members, n_clusters)


def _gram_product(directions: Floats, columns: int) -> Callable[[Floats], Floats]:
    """Z ↦ X @ Z, by whichever of the two orders costs fewer multiplications in a usual search."""
    n_units, fan_in = directions.shape
    rows = directions.astype(np.float32) if directions.size > _FLOAT32_ABOVE else directions
    usual_iterations = 25
    through_gram = n_units**2 * (fan_in + usual_iterations * columns)
    if through_gram < 2 * usual_iterations * columns * n_units * fan_in:
        gram = rows @ rows.T
        return lambda z: gram @ z.astype(gram.dtype, copy=False)
    return lambda z: rows @ (rows.T @ z.astype(rows.dtype, copy=False))


def _plus_plus_starts(
    product: Callable[[Floats], Floats], n_units: int, n_clusters: int, n_init: int, rng: np.random.Generator
) -> Floats:
    """k-means++ starts as 0/1 membership: (n_units, n_init · n_clusters), one unit a column.

    1 − cos is half of the squared distance of unit vectors, so it is the D² of k-means++.
    """
    chosen = np.empty((n_init, n_clusters), dtype=np.int64)
    chosen[:, 0] = rng.integers(n_units, size=n_init)
    nearest = np.full((n_units, n_init), np.inf)
    for j in range(1, n_clusters):
        last = _one_hot(chosen[:, j - 1], n_units)
        nearest = np.minimum(nearest, np.clip(1 - product(last).astype(np.float64), 0, None))
        cumulated = nearest.cumsum(axis=0)
        drawn = (cumulated <= rng.random(n_init) * cumulated[-1]).sum(axis=0)
        chosen[:, j] = np.minimum(drawn, n_units - 1)
    return _one_hot(chosen.ravel(), n_units)


def _one_hot(units: Ints, n_units: int) -> Floats:
    members = np.zeros((n_units, units.size))
    members[units, np.arange(units.size)] = 1
    return members


def _lloyd(product: Callable[[Floats], Floats], members: Floats, n_clusters: int) -> Ints:
    """Iterate all starts together; a start that has settled leaves the batch."""
    n_units = len(members)
    labels = np.full((n_units, members.shape[1] // n_clusters), -1)
    best_labels, best_similarity = labels[:, 0], -np.inf
    for iteration in range(_MAX_ITERATIONS):
        sums = product(members)
        squares = np.einsum("ij,ij->j", members, sums)
        # A sum of members that cancel has no direction: nobody chooses it, and it is started anew.
        lengths = np.sqrt(np.maximum(squares, 0))
        alive = lengths > 1e-3
        cosines = np.where(alive, sums / np.where(alive, lengths, 1), -2.0).reshape(n_units, -1, n_clusters)
        chosen, fit = cosines.argmax(axis=2), cosines.max(axis=2)
        settled = (chosen == labels).all(axis=0)
        if iteration == _MAX_ITERATIONS - 1:
            settled[:] = True
        for start in np.flatnonzero(settled):
            similarity = float(fit[:, start].sum(dtype=np.float64))
            if similarity > best_similarity:
                best_labels, best_similarity = chosen[:, start], similarity
        labels, fit = chosen[:, ~settled], fit[:, ~settled]
        if not labels.size:
            break
        members = _membership(labels, fit, n_clusters).astype(sums.dtype, copy=False)
    return np.asarray(best_labels, dtype=np.int64)


def _membership(labels: Ints, fit: Floats, n_clusters: int) -> Floats:
    """0/1 columns of every start; a cluster left empty gets the unit that fits worst."""
    n_units, n_starts = labels.shape
    members = (labels[:, :, None] == np.arange(n_clusters)).astype(np.float64)
    for start in np.flatnonzero((members.sum(axis=0) == 0).any(axis=1)):
        empty = np.flatnonzero(members[:, start].sum(axis=0) == 0)
        worst = np.argsort(fit[:, start], kind="stable")[: empty.size]
        members[worst, start, empty] = 1
    return members.reshape(n_units, n_starts * n_clusters)


def _by_size(labels: Ints, n_clusters: int) -> Ints:
    """Labels renumbered from the largest cluster to the smallest, at a tie by the first member."""
    sizes = np.bincount(labels, minlength=n_clusters)
    first_member = np.full(n_clusters, len(labels))
    np.minimum.at(first_member, labels, np.arange(len(labels)))
    order = np.lexsort((first_member, -sizes))
    names = np.empty(n_clusters, dtype=np.int64)
    names[order] = np.arange(n_clusters)
    return names[labels]


def _centers_by_size(directions: Floats, labels: Ints, n_clusters: int) -> tuple[Floats, Ints]:
    """Unit centers and labels, renumbered from the largest cluster to the smallest."""
    labels = _by_size(labels, n_clusters)
    sums = (labels == np.arange(n_clusters)[:, None]).astype(np.float64) @ directions
    lengths = np.linalg.norm(sums, axis=1)
    fits = np.einsum("ij,ij->i", directions, sums[labels])
    for j in np.flatnonzero(lengths < 1e-9):
        own = np.flatnonzero(labels == j)
        sums[j] = directions[own[0]] if own.size else directions[np.argmin(fits)]
        lengths[j] = np.linalg.norm(sums[j])
    return sums / lengths[:, None], labels
