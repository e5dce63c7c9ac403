"""Rank units by their weight vectors alone: pure functions on arrays (units, fan_in). Needs no torch."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from prunescope.engine.pruning.criteria import Criterion, criterion_named
from prunescope.engine.pruning.errors import PruningError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Rows of differences held at once by fpgm; memory stays under 100 MB at 4,096 units.
_BLOCK = 1024
# Below this share of the largest norm a weight vector has no direction in float32.
_NO_DIRECTION = 1e-12


def rank_weights(
    weights: npt.ArrayLike,
    criterion: str = "l2",
    *,
    initial: npt.ArrayLike | None = None,
    n_clusters: int = 4,
    seed: int = 0,
) -> Ints:
    """Units in the order of removal, first removed first, by a criterion that needs weights only.

    Parameters
    ----------
    weights : (units, fan_in)
    criterion : a name of `CRITERIA` whose `weights_only` is true
    initial : (units, fan_in) weights at initialisation, for "moved"
    n_clusters : for "center-angle" and "one-per-cluster"
    seed : for "random" and the cluster starts

    Returns
    -------
    (units,) int64; equal quantities in the order of their index

    Raises
    ------
    PruningError
        For an unknown criterion, one that needs more than weights, or weights that are not finite.
    """
    wanted = criterion_named(criterion)
    matrix = _matrix(weights, "weights")
    if wanted.greedy:
        return greedy_order(matrix, wanted.base, largest=wanted.first == "largest")
    return order_by(
        unit_quantities(matrix, wanted, initial=initial, n_clusters=n_clusters, seed=seed), wanted
    )


def unit_quantities(
    weights: npt.ArrayLike,
    criterion: Criterion | str,
    *,
    initial: npt.ArrayLike | None = None,
    n_clusters: int = 4,
    seed: int = 0,
) -> Floats:
    """(units,) the quantity a criterion orders by; for greedy ones, with every unit present."""
    wanted = criterion_named(criterion) if isinstance(criterion, str) else criterion
    matrix = _matrix(weights, "weights")
    if wanted.base == "random":
        return np.random.default_rng(seed).permutation(len(matrix)).astype(np.float64)
    if wanted.base == "moved":
        if initial is None:
            raise PruningError("criterion 'moved' needs the initial weights: pass initial=….")
        start = _matrix(initial, "initial")
        if start.shape != matrix.shape:
            raise PruningError(f"initial: shape {start.shape}, but the weights are {matrix.shape}.")
        return np.linalg.norm(matrix - start, axis=1)
    if wanted.base in _CLUSTERED:
        return _CLUSTERED[wanted.base](matrix, n_clusters, seed)
    if wanted.greedy:
        return _contributions(*_pair_terms(matrix, wanted.base))
    if wanted.base not in _PLAIN:
        raise PruningError(
            f"criterion {wanted.name!r} needs {', '.join(wanted.needs)}, not only weights: use rank_units()."
        )
    return _PLAIN[wanted.base](matrix)


def order_by(quantities: npt.ArrayLike, criterion: Criterion) -> Ints:
    """Units by a quantity in a criterion's direction, equal ones by index."""
    values = np.asarray(quantities, dtype=np.float64)
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values))
        raise PruningError(
            f"criterion {criterion.name!r}: units {bad[:5].tolist()} have no finite value ({values[bad[0]]})."
        )
    return np.argsort(values if criterion.first == "smallest" else -values, kind="stable").astype(np.int64)


def greedy_order(weights: npt.ArrayLike, base: str, *, largest: bool) -> Ints:
    """Remove, one by one, the unit whose removal lowers a pairwise sum least (or most).

    Removing i lowers Σ_jk t_jk by 2Σ_j t_ij − t_ii. Those row sums are kept and one row is subtracted after
    each removal: N² additions in all, where forming the sum anew for each candidate takes N⁴.

    Parameters
    ----------
    weights : (units, fan_in)
    base : "frame-potential" (t = ⟨ŵ_i,ŵ_j⟩²), "inner-product" (t = |⟨ŵ_i,ŵ_j⟩|), or either with "-raw"
        (without normalising); a unit of norm 0 has no direction and contributes nothing
    largest : remove the largest contribution first

    Returns
    -------
    (units,) int64, first removed first; equal contributions by index
    """
    terms, _ = _pair_terms(_matrix(weights, "weights"), base)
    diagonal = np.diagonal(terms).copy()
    sums = terms.sum(axis=1)
    gone_value = -np.inf if largest else np.inf
    gone = np.zeros(len(terms))
    order = np.empty(len(terms), dtype=np.int64)
    for step in range(len(terms)):
        contribution = 2 * sums - diagonal + gone
        unit = int(contribution.argmax() if largest else contribution.argmin())
        order[step] = unit
        gone[unit] = gone_value
        sums -= terms[unit]
    return order


def _pair_terms(weights: Floats, base: str) -> tuple[Floats, Floats]:
    rows = weights if base.endswith("-raw") else _directions(weights)
    gram = rows @ rows.T
    terms = gram * gram if base.startswith("frame-potential") else np.abs(gram)
    return terms, np.diagonal(terms)


def _contributions(terms: Floats, diagonal: Floats) -> Floats:
    return 2 * terms.sum(axis=1) - diagonal


def _directions(weights: Floats) -> Floats:
    norms = np.linalg.norm(weights, axis=1, keepdims=True)
    alive = norms > _NO_DIRECTION * norms.max(initial=0)
    return np.divide(weights, norms, out=np.zeros_like(weights), where=alive)


def _l1(weights: Floats) -> Floats:
    return np.abs(weights).sum(axis=1)


def _l2(weights: Floats) -> Floats:
    return np.linalg.norm(weights, axis=1)


def _lamp(weights: Floats) -> Floats:
    squared = (weights**2).sum(axis=1)
    order = np.argsort(squared, kind="stable")
    remaining = np.cumsum(squared[order][::-1])[::-1]
    score = np.zeros(len(squared))
    score[order] = np.divide(squared[order], remaining, out=np.zeros(len(squared)), where=remaining > 0)
    return score


def _fpgm(weights: Floats) -> Floats:
    squared = (weights**2).sum(axis=1)
    total = np.zeros(len(weights))
    for start in range(0, len(weights), _BLOCK):
        block = slice(start, start + _BLOCK)
        distances = squared[block, None] + squared[None] - 2 * weights[block] @ weights.T
        total[block] = np.sqrt(np.maximum(distances, 0)).sum(axis=1)
    return total


def _clusters(weights: Floats, n_clusters: int, seed: int) -> tuple[Ints, Ints, Floats]:
    """Live units, their cluster and the angle to its center."""
    from prunescope.engine.geometry import spherical_kmeans

    if n_clusters < 1:
        raise PruningError(f"n_clusters: {n_clusters}, expected at least 1.")
    norms = np.linalg.norm(weights, axis=1)
    alive = np.flatnonzero(norms > _NO_DIRECTION * norms.max(initial=0))
    if not len(alive):
        return alive, np.zeros(0, dtype=np.int64), np.zeros(0)
    found = spherical_kmeans(weights[alive], min(n_clusters, len(alive)), seed=seed)
    return alive, np.asarray(found.labels), np.asarray(found.angles)


def _center_angle(weights: Floats, n_clusters: int, seed: int) -> Floats:
    alive, _, angles = _clusters(weights, n_clusters, seed)
    quantity = np.full(len(weights), 180.0)  # no direction: as far as can be
    quantity[alive] = angles
    return quantity


def _place_in_cluster(weights: Floats, n_clusters: int, seed: int) -> Floats:
    """0 for the unit nearest to its center, 1 for the next …, plus the angle as a fraction below one."""
    alive, labels, angles = _clusters(weights, n_clusters, seed)
    quantity = np.full(len(weights), float(len(weights)))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        by_angle = members[np.argsort(angles[members], kind="stable")]
        quantity[alive[by_angle]] = np.arange(len(by_angle)) + angles[by_angle] / 181
    return quantity


_PLAIN: dict[str, Callable[[Floats], Floats]] = {"l1": _l1, "l2": _l2, "lamp": _lamp, "fpgm": _fpgm}
_CLUSTERED: dict[str, Callable[[Floats, int, int], Floats]] = {
    "center-angle": _center_angle,
    "one-per-cluster": _place_in_cluster,
}


def _matrix(weights: npt.ArrayLike, name: str) -> Floats:
    matrix = np.asarray(weights, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size:
        raise PruningError(f"{name}: shape {matrix.shape}, expected (units, fan_in), neither of them 0.")
    if not np.isfinite(matrix).all():
        bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        raise PruningError(
            f"{name}: units {bad[:5].tolist()} hold nan or infinity. Choose an epoch before divergence."
        )
    return matrix
