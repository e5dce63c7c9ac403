"""Positions for the similarity graph that stay where they were from epoch to epoch."""

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, as_weights

# At rest a cluster has a radius near 1, and units without edges a distance near this from the middle.
_RADIUS = 5.0


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
    All forces of a step are two matrix products in float32, which carries 2,048 units where the
    usual libraries take half a second a step.

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
    stiffness = pull.sum(axis=1, keepdims=True) + n_units / _RADIUS**2
    for step in range(steps):
        force = _forces(pull, moving)
        length = np.sqrt(np.square(force).sum(axis=1, keepdims=True)) + np.float32(1e-9)
        # The stiffest spring sets the longest stable step; the heat limits it further, falling to 0.
        reach = np.minimum(length / stiffness, heat * (1 - step / steps))
        moving = moving + force / length * reach
        moving -= moving.mean(axis=0)
    settled = moving.astype(np.float64)
    return settled if previous is None else _turned_onto(settled, np.asarray(previous, dtype=np.float64))


def _forces(pull: Floats, positions: Floats) -> Floats:
    lengths = np.square(positions).sum(axis=1)
    gaps = positions @ positions.T
    gaps *= -2
    gaps += lengths
    gaps += lengths[:, None]
    np.maximum(gaps, 1e-4, out=gaps)
    push = np.reciprocal(gaps, out=gaps)
    np.fill_diagonal(push, 0)
    outward = positions * push.sum(axis=1, keepdims=True) - push @ positions
    inward = pull @ positions - positions * pull.sum(axis=1, keepdims=True)
    gravity = positions * np.float32(len(positions) / _RADIUS**2)
    return np.asarray(outward + inward - gravity)


def _turned_onto(positions: Floats, previous: Floats) -> Floats:
    """The positions rotated (never mirrored) to lie as near to the previous ones as possible."""
    centered = previous - previous.mean(axis=0)
    left, _, right = np.linalg.svd(positions.T @ centered)
    left[:, -1] *= np.sign(np.linalg.det(left @ right)) or 1.0
    return positions @ (left @ right) + previous.mean(axis=0)
