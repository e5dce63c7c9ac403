"""Checks and conversions shared by the measures: weight vectors in, clear errors out."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def as_weights(weights: npt.ArrayLike, name: str = "weights") -> Floats:
    """The weight vectors as a finite (n_units, fan_in) float64 array.

    Raises
    ------
    ValueError
        If the array is not 2-D, is empty or holds a nan or an infinity.
    """
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"{name}: shape {array.shape}, expected (n_units, fan_in) with at least one of each. "
            f"Flatten a layer first: weight.reshape(len(weight), -1)."
        )
    if not np.isfinite(array.sum()):  # one pass, no mask, unless something is wrong
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if bad.size:
            raise ValueError(
                f"{name}: rows {_some(bad)} hold nan or infinite values, so they have no geometry. "
                f"The run has diverged there: choose an earlier epoch."
            )
    return array


def as_trajectory(trajectory: npt.ArrayLike, name: str = "trajectory") -> Floats:
    """A (epochs, n_units, fan_in) floating array, not copied and not yet searched for nan."""
    array = np.asarray(trajectory)
    if not np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float64)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(
            f"{name}: shape {array.shape}, expected (epochs, n_units, fan_in) with at least one of each. "
            f"Stack the layer's weights of every epoch: np.stack([weights_of(e) for e in epochs])."
        )
    return array


def row_norms(weights: Floats) -> Floats:
    """(n_units,) Euclidean norms in float64, without overflow or underflow in the squares."""
    largest = np.abs(weights).max(axis=1)
    scale = np.where(largest > 0, largest, 1)
    if scale.min() > 1e-100 and scale.max() < 1e100:
        return np.sqrt(np.einsum("ij,ij->i", weights, weights, dtype=np.float64))
    return scale * np.sqrt(np.square(weights / scale[:, None]).sum(axis=1))


def unit_rows(weights: npt.ArrayLike, name: str = "weights") -> Floats:
    """Each weight vector divided by its norm: (n_units, fan_in) float64.

    Raises
    ------
    ValueError
        If a row has norm 0: a pruned unit has no direction.
    """
    array = as_weights(weights, name)
    norms = row_norms(array)
    dead = np.flatnonzero(norms == 0)
    if dead.size:
        raise ValueError(
            f"{name}: rows {_some(dead)} have norm 0, so no direction. "
            f"Pass only live units, e.g. weights[mask]."
        )
    if norms.min() > 1e-100:
        return array / norms[:, None]
    # Below the normal range a quotient of two roundings is no unit vector: scale first.
    scaled = array / np.abs(array).max(axis=1, keepdims=True)
    return scaled / row_norms(scaled)[:, None]


def angle_between(a: Floats, b: Floats) -> Floats:
    """Angle in degrees between matching unit rows: (n,) float64 in [0, 180].

    The half-angle form keeps full precision at 0 and 180, where arccos loses half of the digits.
    """
    apart, together = (np.sqrt(np.einsum("...j,...j->...", c, c)) for c in (a - b, a + b))
    return np.degrees(2 * np.arctan2(apart, together))


def _some(indices: npt.NDArray[np.intp]) -> str:
    """At most ten of the indices as text: a message with 4,096 numbers helps nobody."""
    shown = ", ".join(str(i) for i in indices[:10])
    return f"[{shown}]" if indices.size <= 10 else f"[{shown}, … {indices.size} in all]"


def gram(rows: Floats) -> Floats:
    """rows @ rowsᵀ as float64; computed in float32 where the layer is large (errors near 1e-7)."""
    working = rows.astype(np.float32) if rows.size > 500_000 else rows
    return (working @ working.T).astype(np.float64, copy=False)


def pearson(x: Floats, y: Floats) -> tuple[float, float]:
    """Pearson's r and its two-sided p; (nan, nan) for fewer than 3 values or a constant side."""
    from scipy.stats import pearsonr

    if x.size < 3 or np.ptp(x) <= 1e-12 * np.abs(x).max() or np.ptp(y) <= 1e-12 * np.abs(y).max():
        return float("nan"), float("nan")
    found = pearsonr(x, y)
    return float(found.statistic), float(found.pvalue)
