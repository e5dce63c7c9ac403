"""Which edges of a similarity graph to draw when there are more than an eye, or a browser, can follow."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, Ints, as_weights


class Edges(NamedTuple):
    """Edges of one epoch's graph, the strongest first.

    pairs : (n_edges, 2) unit numbers, the smaller first
    weights : (n_edges,) descending
    """

    pairs: Ints
    weights: Floats


def spanning_edges(adjacency: npt.ArrayLike) -> Edges:
    """A maximum spanning tree: N − 1 edges that join at any cutoff what all edges together join.

    Parameters
    ----------
    adjacency : (n_units, n_units) symmetric edge weights of one epoch

    Notes
    -----
    Prim's method on the dense matrix, O(N²); the weights equal `component_curve(adjacency).joins`.
    """
    matrix = _square(adjacency)
    n_units = len(matrix)
    pairs, weights = np.zeros((n_units - 1, 2), dtype=np.int64), np.zeros(n_units - 1)
    best, parent = matrix[0].copy(), np.zeros(n_units, dtype=np.int64)
    best[0] = -np.inf
    for i in range(n_units - 1):
        unit = int(np.argmax(best))
        pairs[i], weights[i] = sorted((int(parent[unit]), unit)), best[unit]
        closer = matrix[unit] > best
        # Units inside the tree stand at −∞ and never come closer again.
        closer &= best > -np.inf
        best[closer] = matrix[unit][closer]
        parent[closer] = unit
        best[unit] = -np.inf
    order = np.argsort(-weights, kind="stable")
    return Edges(pairs[order], weights[order])


def drawn_edges(adjacency: npt.ArrayLike, limit: int) -> Edges:
    """At most ``limit`` edges: a maximum spanning tree, then the strongest of all others.

    Whatever the cutoff, what is left out lies inside groups that the drawn edges join anyway.

    Parameters
    ----------
    adjacency : (n_units, n_units) symmetric
    limit : N − 1 or more

    Returns
    -------
    Edges, min(limit, N(N−1)/2) of them
    """
    matrix = _square(adjacency)
    n_units = len(matrix)
    if limit < n_units - 1:
        raise ValueError(f"limit: {limit} edges cannot join {n_units} units. Allow at least {n_units - 1}.")
    tree = spanning_edges(matrix)
    rows, columns = np.triu_indices(n_units, 1)
    others = matrix[rows, columns]
    # Tree edges are taken already.
    others[_place(tree.pairs, n_units)] = -np.inf
    count = min(limit, len(others)) - len(tree.weights)
    if count > 0:
        strongest = np.argpartition(-others, count - 1)[:count]
        pairs = np.vstack([tree.pairs, np.stack([rows[strongest], columns[strongest]], axis=1)])
        weights = np.concatenate([tree.weights, others[strongest]])
    else:
        pairs, weights = tree
    order = np.argsort(-weights, kind="stable")
    return Edges(pairs[order], weights[order])


def largest_component(tree: Edges, cutoffs: npt.ArrayLike) -> Ints:
    """Units in the largest component at each cutoff, of the cutoffs' shape.

    Parameters
    ----------
    tree : from `spanning_edges`
    cutoffs : any order
    """
    parent = list(range(len(tree.weights) + 1))
    size = [1] * len(parent)
    largest = [1]
    for a, b in tree.pairs.tolist():
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        parent[b] = a
        size[a] += size[b]
        largest.append(max(largest[-1], size[a]))
    joined = np.searchsorted(-tree.weights, -np.asarray(cutoffs, dtype=np.float64), side="right")
    return np.asarray(largest, dtype=np.int64)[joined]


def _square(adjacency: npt.ArrayLike) -> Floats:
    matrix = as_weights(adjacency, "adjacency")
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"adjacency: shape {matrix.shape}, expected a square matrix of one epoch.")
    return matrix


def _place(pairs: Ints, n_units: int) -> Ints:
    """Index of each pair i < j in the order of np.triu_indices(n_units, 1)."""
    i, j = pairs[:, 0], pairs[:, 1]
    return np.asarray(i * (2 * n_units - i - 1) // 2 + j - i - 1, dtype=np.int64)
