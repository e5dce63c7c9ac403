"""Connected components of the similarity graph as the cutoff moves."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, Ints, as_weights, pearson
from prunescope.engine.geometry.edges import Edges


class ComponentCurve(NamedTuple):
    """Number of components at every cutoff, exactly.

    joins : (n_units − 1,) descending; the cutoffs at which two components become one
    """

    joins: Floats


class Components(NamedTuple):
    """Components at one cutoff, the largest first.

    labels : (n_units,) int
    sizes : (n_components,) int
    max_norms : (n_components,) largest norm of a member
    correlation, p_value : Pearson's, of size and largest norm; nan for fewer than 3 components
    """

    labels: Ints
    sizes: Ints
    max_norms: Floats
    correlation: float
    p_value: float


def component_curve(adjacency: npt.ArrayLike) -> ComponentCurve:
    """Components against cutoff, from the maximum spanning tree: no grid of cutoffs, none missed.

    Parameters
    ----------
    adjacency : (n_units, n_units) symmetric edge weights of one epoch

    Notes
    -----
    The N − 1 edges of the maximum spanning tree are single linkage's merges; found in O(N²).
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    matrix = as_weights(adjacency, "adjacency")
    if len(matrix) == 1:
        return ComponentCurve(np.empty(0))
    largest = matrix.max()
    gaps = largest - matrix  # linkage wants dissimilarities
    np.fill_diagonal(gaps, 0)
    tree = linkage(squareform(gaps, checks=False), method="single")
    # Back from gaps to the very weights of the matrix: a difference of differences rounds.
    known = np.unique(matrix[np.triu_indices(len(matrix), 1)])
    heights = largest - tree[:, 2]
    right = np.clip(np.searchsorted(known, heights), 0, known.size - 1)
    left = np.maximum(right - 1, 0)
    is_left = np.abs(known[left] - heights) < np.abs(known[right] - heights)
    return ComponentCurve(np.where(is_left, known[left], known[right]))


def components_at(curve: ComponentCurve, cutoffs: npt.ArrayLike) -> Ints:
    """Number of components of the graph with edges of weight ≥ each cutoff, of the cutoffs' shape."""
    # Every join below the cutoff is undone, and leaves one component more.
    return np.asarray(np.searchsorted(curve.joins[::-1], cutoffs, side="left") + 1, dtype=np.int64)


def components(adjacency: npt.ArrayLike, cutoff: float, norms: npt.ArrayLike) -> Components:
    """Components of the graph with edges of weight ≥ cutoff, and the largest norm in each.

    Parameters
    ----------
    adjacency : (n_units, n_units), one epoch
    cutoff : > 0
    norms : (n_units,)
    """
    matrix = as_weights(adjacency, "adjacency")
    return _components(matrix >= _checked(cutoff), np.asarray(norms, dtype=np.float64))


def components_of_tree(tree: Edges, cutoff: float, norms: npt.ArrayLike) -> Components:
    """The same from a maximum spanning tree, which joins what all edges join: O(N) a cutoff.

    Parameters
    ----------
    tree : from `spanning_edges`
    cutoff : > 0
    norms : (n_units,)
    """
    from scipy.sparse import coo_array

    size = len(tree.weights) + 1
    kept = tree.pairs[tree.weights >= _checked(cutoff)]
    joined = coo_array((np.ones(len(kept)), (kept[:, 0], kept[:, 1])), shape=(size, size))
    return _components(joined, np.asarray(norms, dtype=np.float64))


def _checked(cutoff: float) -> float:
    if not cutoff > 0:
        raise ValueError(f"cutoff: {cutoff}, expected an edge weight above 0.")
    return cutoff


def _components(joined: Any, norms: Floats) -> Components:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    if norms.shape != (joined.shape[0],):
        raise ValueError(f"norms: shape {norms.shape}, expected one for each of {joined.shape[0]} units.")
    n_found, found = connected_components(csr_array(joined), directed=False)
    sizes = np.bincount(found, minlength=n_found)
    order = np.argsort(-sizes, kind="stable")
    names = np.empty(n_found, dtype=np.int64)
    names[order] = np.arange(n_found)
    labels = names[found]
    largest = np.full(n_found, -np.inf)
    np.maximum.at(largest, labels, norms)
    return Components(labels, sizes[order], largest, *pearson(sizes[order].astype(np.float64), largest))
