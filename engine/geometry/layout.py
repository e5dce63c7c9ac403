"""Positions for the similarity graph that stay where they were from epoch to epoch."""

from typing import Any

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, as_weights

# At rest a cluster has a radius near 1, and units without edges a distance near this from the middle.
_RADIUS = 5.0
# Units whose distances to all others are formed together: so many stay in the processor's cache.
_BLOCK = 128
# A matrix with a smaller share of pairs than this is multiplied faster as a sparse one.
_FEW = 0.1


def force_layout(
    adjacency: npt.ArrayLike,
    cutoff: float = 0.0,
    previous: npt.ArrayLike | None = None,
    seed: int = 0,
    iterations: int | None = None,
) -> Floats:
    """Force-directed positions: edges pull in proportion to weight and length, all units repel by 1/distance.

    Started from `previous` it moves little and is turned back onto it, so that an epoch slider
    shows the units moving and not the picture. The same arguments give the same picture.

    Parameters
    ----------
    adjacency : (n_units, n_units) symmetric edge weights of one epoch
    cutoff : edges below it do not pull
    previous : (n_units, 2) positions of the neighbouring epoch
    seed : of the first positions, without `previous`
    iterations : 100 without, 20 with `previous`, if not given

    Returns
    -------
    (n_units, 2) float64, around the origin

    Notes
    -----
    All pairs repel, exactly, in float32 and block by block: a step of 2,048 units takes some 20 ms of
    one core where the usual libraries take half a second.

    References
    ----------
    Fruchterman & Reingold 1991 (cooling); Jacomy et al. 2014 (forces, gravity).
    """
    matrix = as_weights(adjacency, "adjacency")
    n_units = len(matrix)
    if matrix.shape[1] != n_units:
        raise ValueError(f"adjacency: shape {matrix.shape}, expected a square matrix of one epoch.")
    pull = np.where(matrix >= cutoff, matrix, 0).astype(np.float32)
    np.fill_diagonal(pull, 0)
    # A small random offset parts units that were put on one point.
    jitter = np.random.default_rng(seed).standard_normal((n_units, 2))
    if previous is None:
        positions, heat = jitter * _RADIUS / 2, _RADIUS / 5
    else:
        start = as_weights(previous, "previous")
        if start.shape != (n_units, 2):
            raise ValueError(f"previous: shape {start.shape}, expected ({n_units}, 2), the same units.")
        positions, heat = start + 1e-4 * jitter, _RADIUS / 50
    steps = (100 if previous is None else 20) if iterations is None else iterations
    moving = positions.astype(np.float32)
    pulled = pull.sum(axis=1, keepdims=True)
    stiffness = pulled + n_units / _RADIUS**2
    springs = _springs(pull)
    for step in range(steps):
        inward = springs @ moving - moving * pulled
        gravity = moving * np.float32(n_units / _RADIUS**2)
        force = _repulsion(moving) + inward - gravity
        length = np.sqrt(np.square(force).sum(axis=1, keepdims=True)) + np.float32(1e-9)
        # The stiffest spring sets the longest stable step; the heat limits it further, falling to 0.
        reach = np.minimum(length / stiffness, heat * (1 - step / steps))
        moving = moving + force / length * reach
        moving -= moving.mean(axis=0)
    settled = moving.astype(np.float64)
    return settled if previous is None else _turned_onto(settled, np.asarray(previous, dtype=np.float64))


def _springs(pull: Floats) -> Any:
    """The same matrix, as a sparse one where few pairs pull."""
    if np.count_nonzero(pull) > pull.size * _FEW:
        return pull
    from scipy.sparse import csr_array

    return csr_array(pull)


def _repulsion(positions: Floats) -> Floats:
    """Σⱼ (pᵢ − pⱼ)/‖pᵢ − pⱼ‖² of every unit: (n_units, 2)."""
    n_units = len(positions)
    ones, squares = np.ones((n_units, 1), np.float32), np.square(positions).sum(axis=1, keepdims=True)
    # ‖p − q‖² = (p, ‖p‖², 1)·(−2q, 1, ‖q‖²): the gaps of a block are one product.
    rows, columns = np.hstack([positions, squares, ones]), np.hstack([-2 * positions, ones, squares]).T.copy()
    ends = np.hstack([positions, ones])
    summed = np.empty((n_units, 3), np.float32)
    for start in range(0, n_units, _BLOCK):
        block = slice(start, min(start + _BLOCK, n_units))
        push = np.maximum(rows[block] @ columns, 1e-4)
        np.reciprocal(push, out=push)
        # No unit pushes itself.
        push[np.arange(len(push)), np.arange(block.start, block.stop)] = 0
        np.matmul(push, ends, out=summed[block])
    return np.asarray(positions * summed[:, 2:] - summed[:, :2])


def _turned_onto(positions: Floats, previous: Floats) -> Floats:
    """The positions rotated (never mirrored) to lie as near to the previous ones as possible."""
    centered = previous - previous.mean(axis=0)
    left, _, right = np.linalg.svd(positions.T @ centered)
    left[:, -1] *= np.sign(np.linalg.det(left @ right)) or 1.0
    return positions @ (left @ right) + previous.mean(axis=0)
