"""Paths of weight vectors over training, in one basis that is fitted once and then kept."""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, as_trajectory, as_weights

Basis = Literal["all", "first", "last"]

# Up to this many multiply-adds the covariance or Gram matrix is formed exactly, in float64.
_EXACT_BELOW = 4e9
# A step is bound by reading the data, so a wide block is nearly free and saves steps.
_BLOCK, _MAX_STEPS, _TOLERANCE = 20, 12, 1e-4


class PrincipalBasis(NamedTuple):
    """Orthonormal axes of largest variance, each with its largest |loading| positive.

    components : (n_components, fan_in)
    mean : (fan_in,) subtracted before projecting
    variances : (n_components,) variance along each axis (divided by the number of rows)
    explained_variance_ratio : (n_components,) share of the rows' total variance
    """

    components: Floats
    mean: Floats
    variances: Floats
    explained_variance_ratio: Floats


class TrajectoryProjection(NamedTuple):
    """Every weight vector of every epoch in one basis.

    points : (epochs, n_units, n_components)
    explained_variance_ratio : (n_components,) of the rows that the basis was fitted on
    components : (n_components, fan_in), orthonormal
    mean : (fan_in,)
    explained_by_epoch : (epochs,) share of each epoch's own variance around its mean that the
        plane shows; nan where an epoch has no variance
    """

    points: Floats
    explained_variance_ratio: Floats
    components: Floats
    mean: Floats
    explained_by_epoch: Floats


def project_trajectory(trajectory: npt.ArrayLike, n_components: int = 2, basis: Basis = "all") -> TrajectoryProjection:
    """Project each epoch's weight vectors onto the principal axes of the chosen rows.

    Parameters
    ----------
    trajectory : (epochs, n_units, fan_in); read epoch by epoch, never copied whole
    n_components : 1 … fan_in
    basis : fit on the rows of "all" epochs stacked, or of the "first" or "last" epoch alone

    Raises
    ------
    ValueError
        If an epoch holds nan or infinite values (it is named), or n_components is out of range.

    Notes
    -----
    Small inputs: exact eigenvectors in float64. Large ones with "all": block Lanczos with
    Rayleigh–Ritz, in passes over the data, until the variances change by less than 1e-4; axes of
    nearly equal variance are then any basis of their plane.

    References
    ----------
    Li, Farkhoor, Liu & Yosinski 2018 (one fixed basis); Musco & Musco 2015 (block Krylov).
    """
    array = as_trajectory(trajectory)
    fitted = {"all": array, "first": array[:1], "last": array[-1:]}
    if basis not in fitted:
        raise ValueError(f"basis: {basis!r}, expected one of {', '.join(fitted)}.")
    axes = principal_basis(fitted[basis], n_components)
    epochs, n_units, _ = array.shape
    points = np.empty((epochs, n_units, n_components))
    shares = np.full(epochs, np.nan)
    for epoch, weights in enumerate(array):
        points[epoch] = project_onto(axes, weights)
        _, spread = _mean_and_spread(array, slice(epoch, epoch + 1))
        if spread > 0:
            shares[epoch] = min(1.0, n_units * points[epoch].var(axis=0).sum() / spread)
    return TrajectoryProjection(points, axes.explained_variance_ratio, axes.components, axes.mean, shares)


def project_onto(basis: PrincipalBasis | TrajectoryProjection, weights: npt.ArrayLike) -> Floats:
    """Coordinates of new weight vectors in a basis fitted before: (n_units, n_components).

    A live epoch is projected, never refitted, so nothing on the screen jumps.

    Parameters
    ----------
    basis : what `principal_basis` or `project_trajectory` returned
    weights : (n_units, fan_in)
    """
    array = as_weights(weights)
    if array.shape[1] != basis.mean.size:
        raise ValueError(
            f"weights: fan-in {array.shape[1]}, the basis was fitted on {basis.mean.size}. Project the same layer."
        )
    return array @ basis.components.T - basis.components @ basis.mean


def principal_basis(trajectory: npt.ArrayLike, n_components: int = 2) -> PrincipalBasis:
    """Principal axes of all rows of a (epochs, n_units, fan_in) array around their mean.

    Axes without any variance (fewer rows than components) have ratio 0 and an arbitrary, but
    orthonormal, direction.
    """
    array = as_trajectory(trajectory)
    epochs, n_units, fan_in = array.shape
    n_rows = epochs * n_units
    if not 1 <= n_components <= fan_in:
        raise ValueError(f"n_components: {n_components}, expected 1 to the fan-in {fan_in}.")
    mean, total = _mean_and_spread(array, slice(None))
    if n_rows * fan_in * min(n_rows, fan_in) <= _EXACT_BELOW or min(n_rows, fan_in) <= 300:
        squares, components = _exact_axes(array, mean, n_components)
    else:
        squares, components = _lanczos_axes(array, mean, n_components, total)
    strongest = np.abs(components).argmax(axis=1)
    components *= np.where(components[np.arange(n_components), strongest] < 0, -1.0, 1.0)[:, None]
    ratio = np.minimum(squares / total, 1) if total > 0 else np.zeros(n_components)
    return PrincipalBasis(components, mean, squares / n_rows, ratio)


def _mean_and_spread(array: Floats, which: slice) -> tuple[Floats, float]:
    """Mean row of the chosen epochs, and the summed squared distance of their rows to it."""
    epochs = range(len(array))[which]
    n_rows = len(epochs) * array.shape[1]
    ones = np.ones(array.shape[1], dtype=array.dtype)
    mean, squares = np.zeros(array.shape[2]), 0.0
    for epoch in epochs:
        total = ones @ array[epoch]
        if not np.isfinite(total).all():
            raise ValueError(
                f"trajectory: epoch number {epoch} of {len(array)} holds nan or infinite values; the run has "
                f"diverged there. Pass the epochs before it: trajectory[:{epoch}]."
            )
        mean += total
        squares += float(np.vdot(array[epoch], array[epoch]))
    mean /= n_rows
    spread = squares - n_rows * float(mean @ mean)
    if spread < 1e-3 * squares:  # the difference has lost its digits: measure around the mean
        spread = sum(float(np.square(array[epoch] - mean).sum()) for epoch in epochs)
    # Rows that differ by rounding alone have no variance to explain.
    return mean, spread if spread > 1e-12 * squares else 0.0


def _exact_axes(array: Floats, mean: Floats, n_components: int) -> tuple[Floats, Floats]:
    """Squared singular values and axes from the smaller of the Gram and the covariance matrix."""
    epochs, n_units, fan_in = array.shape
    if epochs * n_units < fan_in:
        centered = array.reshape(-1, fan_in).astype(np.float64) - mean
        squares, left = np.linalg.eigh(centered @ centered.T)
        order = np.argsort(squares)[::-1][:n_components]
        axes = (centered.T @ left[:, order]).T
        squares = np.maximum(squares[order], 0)
        return np.pad(squares, (0, n_components - squares.size)), _orthonormal(axes, n_components)
    covariance = np.zeros((fan_in, fan_in))
    for weights in array:
        centered = weights - mean
        covariance += centered.T @ centered
    squares, axes = np.linalg.eigh(covariance)
    return np.maximum(squares[::-1][:n_components], 0), axes.T[::-1][:n_components].copy()


def _orthonormal(axes: Floats, n_components: int) -> Floats:
    """Unit axes; those without length (no variance) are filled up orthogonally."""
    lengths = np.linalg.norm(axes, axis=1)
    good = axes[lengths > 1e-10 * max(lengths.max(initial=0), 1e-300)]
    good = good / np.linalg.norm(good, axis=1, keepdims=True)
    if len(good) == n_components:
        return good
    filler = np.random.default_rng(0).standard_normal((n_components - len(good), axes.shape[1]))
    basis = np.linalg.qr(np.vstack([good, filler]).T)[0].T
    basis[: len(good)] = good  # qr may flip signs
    return basis


def _lanczos_axes(array: Floats, mean: Floats, n_components: int, total: float) -> tuple[Floats, Floats]:
    """Block Lanczos with full reorthogonalisation; each step reads the data once."""
    fan_in = array.shape[2]
    start = np.random.default_rng(0).standard_normal((fan_in, n_components + _BLOCK))
    block = np.linalg.qr(start)[0]
    bases, images = [block], []
    previous = np.zeros(n_components)
    for _ in range(_MAX_STEPS):
        images.append(_covariance_times(array, mean, bases[-1]))
        basis, image = np.hstack(bases), np.hstack(images)
        projected = basis.T @ image
        squares, rotation = np.linalg.eigh((projected + projected.T) / 2)
        squares, rotation = squares[::-1][:n_components], rotation[:, ::-1][:, :n_components]
        if np.abs(squares - previous).max() <= _TOLERANCE * max(squares[-1], 1e-12 * total):
            break
        previous = squares
        residual = images[-1]
        for _ in range(2):  # once is not enough in floating point
            residual = residual - basis @ (basis.T @ residual)
        bases.append(np.linalg.qr(residual)[0])
    components = (np.hstack(bases[: len(images)]) @ rotation).T
    return np.maximum(squares, 0), components


def _covariance_times(array: Floats, mean: Floats, block: Floats) -> Floats:
    """Σ (w − mean)(w − mean)ᵀ @ block over all rows: each epoch is used twice while it is in the cache."""
    vectors = block.astype(array.dtype)
    offset = (mean @ block).astype(array.dtype)
    result = np.zeros_like(block)
    for weights in array:
        scores = weights @ vectors - offset
        result += weights.T @ scores
        result -= np.outer(mean, scores.sum(axis=0, dtype=np.float64))
    return result
