"""Inner products of all pairs of weight vectors: formed once, read by many measures.

Cosines, frame potentials, leave-one-out, similarity graph, clusters and singular values depend on the
layer through its Gram matrix alone. Forming it is nearly all of their cost when the fan-in is large.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, as_weights, row_norms, some

# Outside these bounds squares of norms would lose digits, or overflow.
_SMALLEST, _LARGEST = 1e-100, 1e100


class Pairs(NamedTuple):
    """A layer as its inner products; every function that takes `Weights` takes this instead.

    cosines : (n_units, n_units) float64 in [−1, 1], diagonal 1; 0 for a unit of norm 0
    norms : (n_units,) float64
    fan_in : length of a weight vector
    """

    cosines: Floats
    norms: Floats
    fan_in: int


Weights = npt.ArrayLike | Pairs


def inner_products(weights: Weights, name: str = "weights") -> Pairs:
    """All cosines and norms of a layer, from one product of O(N² d) in float64.

    Parameters
    ----------
    weights : (n_units, fan_in); units of norm 0 are allowed here

    Raises
    ------
    ValueError
        If the array is not 2-D, is empty or holds a nan or an infinity.
    """
    if isinstance(weights, Pairs):
        return weights
    array = as_weights(weights, name)
    norms = row_norms(array)
    live = norms > 0
    lengths = np.where(live, norms, 1)
    if lengths.min() > _SMALLEST and lengths.max() < _LARGEST:
        cosines = array @ array.T
        cosines /= lengths[:, None]
        cosines /= lengths
    else:
        # Scaled first: a quotient of two roundings below the normal range is no unit vector.
        scaled = array / np.where(live, np.abs(array).max(axis=1), 1)[:, None]
        scaled /= np.where(live, row_norms(scaled), 1)[:, None]
        cosines = scaled @ scaled.T
    np.clip(cosines, -1, 1, out=cosines)
    np.fill_diagonal(cosines, live)
    return Pairs(cosines, norms, array.shape[1])


def live_pairs(weights: Weights, name: str = "weights") -> Pairs:
    """`inner_products` of a layer whose units all have a direction.

    Raises
    ------
    ValueError
        If a unit has norm 0, besides what `inner_products` raises.
    """
    pairs = inner_products(weights, name)
    dead = np.flatnonzero(pairs.norms == 0)
    if dead.size:
        raise ValueError(
            f"{name}: rows {some(dead)} have norm 0, so no direction. Pass only live units, e.g. weights[mask]."
        )
    return pairs


def among(pairs: Pairs, mask: npt.ArrayLike) -> Pairs:
    """The pairs of some units only; `mask` is (n_units,) bool."""
    chosen = np.asarray(mask, dtype=bool)
    return Pairs(pairs.cosines[np.ix_(chosen, chosen)], pairs.norms[chosen], pairs.fan_in)


def values_of(pairs: Pairs) -> Floats:
    """Singular values of W, descending: (n_units,); those beyond the rank are 0 up to rounding."""
    # Scaled to norms up to 1, so that the squares of tiny and huge layers stay in range.
    largest = pairs.norms.max() or 1.0
    lengths = pairs.norms / largest
    found = np.linalg.eigvalsh(pairs.cosines * lengths[:, None] * lengths)[::-1]
    return np.asarray(np.sqrt(np.maximum(found, 0)) * largest)
