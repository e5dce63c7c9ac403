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
                f"{name}: rows {some(bad)} hold nan or infinite values, so they have no geometry. "
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
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->i", weights, weights, dtype=np.float64)
    norms = np.sqrt(squares)
    # Where squares leave the range of float64 the row is scaled first; a row of zeros stays 0.
    odd = np.flatnonzero((squares < 1e-200) | (squares > 1e200))
    if odd.size:
        largest = np.abs(weights[odd]).max(axis=1).astype(np.float64)
        scaled = weights[odd] / np.where(largest > 0, largest, 1)[:, None]
        norms[odd] = largest * np.sqrt(np.square(scaled).sum(axis=1))
    return norms


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
            f"{name}: rows {some(dead)} have norm 0, so no direction. Pass only live units, e.g. weights[mask]."
        )
    if norms.min() > 1e-100:
        return array / norms[:, None]
    # Below the normal range a quotient of two roundings is no unit vector: scale first.
    scaled = array / np.abs(array).max(axis=1, keepdims=True)
    return scaled / row_norms(scaled)[:, None]


def row_cosines(first: Floats, second: Floats, names: tuple[str, str] = ("first", "second")) -> Floats:
    """Cosine of each row to the same row of another array of one shape: (n_units,) in [−1, 1].

    Raises
    ------
    ValueError
        If a row has norm 0: a pruned unit has no direction.
    """
    lengths = [row_norms(array) for array in (first, second)]
    for name, norms in zip(names, lengths, strict=True):
        dead = np.flatnonzero(norms == 0)
        if dead.size:
            raise ValueError(
                f"{name}: rows {some(dead)} have norm 0, so no direction. Pass only live units, e.g. weights[mask]."
            )
    both = np.concatenate(lengths)
    if both.min() > 1e-70 and both.max() < 1e70:  # no product of two leaves the normal range
        products = np.einsum("ij,ij->i", first, second) / (lengths[0] * lengths[1])
    else:
        products = np.einsum("ij,ij->i", unit_rows(first), unit_rows(second))
    return np.clip(products, -1, 1)


def angle_between(a: Floats, b: Floats) -> Floats:
    """Angle in degrees between matching unit rows: (n,) float64 in [0, 180].

    The half-angle form keeps full precision at 0 and 180, where arccos loses half of the digits.
    """
    apart, together = (np.sqrt(np.einsum("...j,...j->...", c, c)) for c in (a - b, a + b))
    return np.degrees(2 * np.arctan2(apart, together))


def some(indices: npt.NDArray[np.intp]) -> str:
    """At most ten of the indices as text: a message with 4,096 numbers helps nobody."""
    shown = ", ".join(str(i) for i in indices[:10])
    return f"[{shown}]" if indices.size <= 10 else f"[{shown}, … {indices.size} in all]"


def pearson(x: Floats, y: Floats) -> tuple[float, float]:
    """Pearson's r and its two-sided p; (nan, nan) for fewer than 3 values or a constant side."""
    from scipy.stats import pearsonr

    if x.size < 3 or np.ptp(x) <= 1e-12 * np.abs(x).max() or np.ptp(y) <= 1e-12 * np.abs(y).max():
        return float("nan"), float("nan")
    found = pearsonr(x, y)
    return float(found.statistic), float(found.pvalue)
