"""What chance alone would show: the null models drawn beside every measurement."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, angle_between
from prunescope.engine.geometry.clusters import partition


class AngleNull(NamedTuple):
    """Angles to cluster centers when the directions are random.

    mean, sd : of the layer's mean angle over the draws, degrees; what a measured mean is compared with
    angles : (draws, n_units) degrees, for the histogram beside the data
    """

    mean: float
    sd: float
    angles: Floats


class WeightedNull(NamedTuple):
    """Mean and standard deviation of a weighted mean angle by chance, degrees."""

    mean: float
    sd: float


class MarchenkoPastur(NamedTuple):
    """Limit density of the non-zero eigenvalues of W Wᵀ for independent entries.

    density : as many values as were asked for, per unit of eigenvalue; 0 outside the edges
    lower, upper : the edges
    """

    density: Floats
    lower: float
    upper: float


def angle_null(
    n_units: int, fan_in: int, n_clusters: int, draws: int = 20, seed: int = 0, n_init: int = 10
) -> AngleNull:
    """Spherical k-means on random directions with the layer's own N, d and k.

    k-means finds "clusters" in pure noise, at an angle that depends on all three numbers, so only
    a simulation with the same ones says what chance gives. Angles depend on the Gram matrix alone;
    where d > N it is drawn in N dimensions by Bartlett's decomposition, which has exactly the same
    distribution.

    Parameters
    ----------
    n_units, fan_in, n_clusters : of the layer (kept units only); n_clusters ≤ n_units
    draws : simulated layers, at least 2; 20 give the sd to about 16%
    seed : of the draws and of their clusterings
    n_init : starts of each clustering; use the same as for the data

    References
    ----------
    Bartlett 1933, for the decomposition of a Wishart matrix.
    """
    if min(n_units, fan_in) < 1 or draws < 2:
        raise ValueError(f"n_units, fan_in, draws: {n_units}, {fan_in}, {draws}; expected at least 1, 1 and 2.")
    rng = np.random.default_rng(seed)
    angles = np.empty((draws, n_units))
    for draw in range(draws):
        directions = random_directions(n_units, fan_in, rng)
        labels = partition(directions, n_clusters, rng, n_init)
        members = (labels == np.arange(n_clusters)[:, None]).astype(np.float64)
        centers = members @ directions
        lengths = np.linalg.norm(centers, axis=1, keepdims=True)
        centers = np.divide(centers, lengths, out=np.zeros_like(centers), where=lengths > 0)
        angles[draw] = angle_between(directions, centers[labels])
    means = angles.mean(axis=1)
    return AngleNull(float(means.mean()), float(means.std(ddof=1)), angles)


def random_directions(n_units: int, fan_in: int, rng: np.random.Generator) -> Floats:
    """Unit rows with the Gram matrix of random directions in R^fan_in: (n_units, min(n_units, fan_in))."""
    if fan_in <= n_units:
        rows = rng.standard_normal((n_units, fan_in))
    else:
        rows = np.tril(rng.standard_normal((n_units, n_units)), -1)
        np.fill_diagonal(rows, np.sqrt(rng.chisquare(fan_in - np.arange(n_units))))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def weighted_null(null: AngleNull, norms: npt.ArrayLike) -> WeightedNull:
    """The null of a norm-weighted mean: random directions know nothing of the norms.

    Under the null the angles of one draw are exchangeable, so with shares p the mean is the same
    and the variance grows by (Σp² − 1/N) times the variance within a draw. A few heavy units carry
    little evidence, and the sd says so.

    Parameters
    ----------
    null : for as many units as there are norms
    norms : (n_units,) of the kept units, non-negative, not all 0

    Raises
    ------
    ValueError
        If the lengths differ or the norms have no positive sum.
    """
    values = np.asarray(norms, dtype=np.float64)
    n_units = null.angles.shape[1]
    if values.shape != (n_units,):
        raise ValueError(
            f"norms: shape {values.shape}, the null was drawn for {n_units} units. Pass the kept units' norms."
        )
    if not (np.isfinite(values).all() and values.min() >= 0 and values.sum() > 0):
        raise ValueError("norms: expected finite values ≥ 0 with a positive sum. Pass the kept units' norms.")
    shares = values / values.sum()
    within = null.angles.var(axis=1, ddof=1).mean() if n_units > 1 else 0.0
    variance = null.sd**2 + (shares @ shares - 1 / n_units) * within
    return WeightedNull(null.mean, math.sqrt(max(variance, 0.0)))


def z_score(value: float, null: AngleNull | WeightedNull) -> float:
    """How many standard deviations a mean angle lies above (+) or below (−) chance.

    Negative means more aligned than random. nan where the null has no spread (one unit, or as many
    clusters as units) and the value equals it, ±inf where it does not.
    """
    gap = value - null.mean
    if null.sd <= 1e-9:  # degrees: rounding, no spread
        return math.nan if abs(gap) <= 1e-6 else math.copysign(math.inf, gap)
    return gap / null.sd


def random_angle_density(theta: npt.ArrayLike, fan_in: int) -> Floats:
    """Density of the angle between two random directions in R^fan_in.

    Proportional to sin^(d−2) θ: mean 90°, sd close to 57.3°/√d.

    Parameters
    ----------
    theta : any shape, degrees
    fan_in : at least 2; on a line two directions meet at 0° or 180° only, which has no density

    Returns
    -------
    the shape of theta, per degree; 0 outside [0, 180]
    """
    if fan_in < 2:
        raise ValueError(f"fan_in: {fan_in}, expected at least 2: on a line every angle is 0° or 180°.")
    degrees = np.asarray(theta, dtype=np.float64)
    inside = (degrees >= 0) & (degrees <= 180)
    log_constant = math.lgamma(fan_in / 2) - math.lgamma((fan_in - 1) / 2) - 0.5 * math.log(math.pi)
    sines = np.sin(np.radians(np.where(inside, degrees, 90)))
    with np.errstate(divide="ignore"):
        logs = log_constant + ((fan_in - 2) * np.log(np.maximum(sines, 0)) if fan_in > 2 else 0 * sines)
    return np.where(inside, np.exp(logs) * math.pi / 180, 0.0)


def expected_frame_potential(n_units: int, fan_in: int) -> float:
    """Frame potential of random directions: N + N(N−1)/d, because E[cos²] = 1/d."""
    if n_units < 1 or fan_in < 1:
        raise ValueError(f"n_units, fan_in: {n_units}, {fan_in}; expected at least 1 of each.")
    return n_units + n_units * (n_units - 1) / fan_in


def marchenko_pastur(eigenvalues: npt.ArrayLike, n_units: int, fan_in: int, scale: float) -> MarchenkoPastur:
    """Where the eigenvalues of W Wᵀ lie when W is noise.

    Parameters
    ----------
    eigenvalues : where to evaluate the density, any shape
    n_units, fan_in : shape of W
    scale : standard deviation of an entry of W, > 0

    Notes
    -----
    Edges scale² · (√N ± √d)², which is scale² N (1 ± √(d/N))². The density is that of the min(N, d)
    eigenvalues that are not 0 by shape, and integrates to 1.

    References
    ----------
    Marchenko & Pastur 1967.
    """
    if min(n_units, fan_in) < 1 or not scale > 0:
        raise ValueError(f"n_units, fan_in, scale: {n_units}, {fan_in}, {scale}; expected ≥ 1, ≥ 1 and > 0.")
    at = np.asarray(eigenvalues, dtype=np.float64)
    lower = scale**2 * (math.sqrt(n_units) - math.sqrt(fan_in)) ** 2
    upper = scale**2 * (math.sqrt(n_units) + math.sqrt(fan_in)) ** 2
    inside = (at > max(lower, 0)) & (at < upper)
    x = np.where(inside, at, 0.5 * (lower + upper))
    height = np.sqrt((upper - x) * (x - lower)) / (2 * math.pi * scale**2 * min(n_units, fan_in) * x)
    return MarchenkoPastur(np.where(inside, height, 0.0), lower, upper)
