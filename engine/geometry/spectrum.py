"""Singular values of a layer: rank, noise edge, reconstruction error and its knee."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Bools, Floats, as_weights, row_norms
from prunescope.engine.geometry.nulls import marchenko_pastur
from prunescope.engine.geometry.pairs import Pairs, Weights, among, values_of


class SpectralDensity(NamedTuple):
    """Eigenvalues of W Wᵀ beside the Marchenko–Pastur law of noise with the same entries' scale.

    eigenvalues : (min(N, d),) descending, weight²
    scale : standard deviation of the entries around 0 (root mean square), weight
    lower, upper : edges of the law
    above : number of eigenvalues above the upper edge
    """

    eigenvalues: Floats
    scale: float
    lower: float
    upper: float
    above: int


class ReconstructionError(NamedTuple):
    """What is lost when only the k largest singular values are kept.

    errors : (rank + 1,) RE_k = Σ_{i>k} s_i² for k = 0 … rank, weight²
    knee : k that maximises 1 − k/rank − RE_k/RE_0; 0 for a layer of zeros
    rank : r = min(N, d), to print with the knee: the knee depends on it
    """

    errors: Floats
    knee: int
    rank: int


class LowRank(NamedTuple):
    """The best approximation of rank k.

    weights : (n_units, fan_in)
    norm_ratio : ‖W_k‖_F / ‖W‖_F in [0, 1]; nan for a layer of zeros
    """

    weights: Floats
    norm_ratio: float


class SelectedSplit(NamedTuple):
    """Spectra of the units above and below a norm cutoff.

    selected : (n_units,) bool, norm > cutoff
    selected_values, unselected_values : singular values, descending; empty where no unit is
    """

    selected: Bools
    selected_values: Floats
    unselected_values: Floats


def singular_values(weights: Weights) -> Floats:
    """Singular values of a (n_units, fan_in) layer, descending: (min(N, d),).

    From the smaller Gram matrix in float64: several times faster than the decomposition, exact to
    about 1e-8 of the largest value.
    """
    if isinstance(weights, Pairs):
        return values_of(weights)[: weights.fan_in]
    array = as_weights(weights)
    smaller = array if len(array) <= array.shape[1] else array.T
    return np.sqrt(np.maximum(np.linalg.eigvalsh(smaller @ smaller.T)[::-1], 0))


def strongest_directions(array: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """(left (n_units, count), values (min(N, d),), right (count, fan_in)): all values, the first vectors only.

    Through the units' Gram matrix where the fan-in is larger, so that the other vectors are never carried
    over to the inputs' side; values below 1e-8 of the largest, and their vectors, are then rounding.
    """
    if array.shape[1] < len(array):
        left, values, right = np.linalg.svd(array, full_matrices=False)
        return left[:, :count], values, right[:count]
    squares, left = np.linalg.eigh(array @ array.T)
    values = np.sqrt(np.maximum(squares[::-1], 0))
    left = np.ascontiguousarray(left[:, ::-1][:, :count])
    right = left.T @ array
    lengths = np.linalg.norm(right, axis=1, keepdims=True)
    return left, values, np.divide(right, lengths, out=np.zeros_like(right), where=lengths > 0)


def spectral_density(weights: Weights) -> SpectralDensity:
    """Empirical spectral density of a (n_units, fan_in) layer against Marchenko–Pastur.

    References
    ----------
    Martin & Mahoney 2018.
    """
    eigenvalues = singular_values(weights) ** 2
    n_units, fan_in = (len(weights.norms), weights.fan_in) if isinstance(weights, Pairs) else np.shape(weights)
    # Σλ = ‖W‖²_F, so the entries' root mean square needs no second pass over them.
    scale = float(np.sqrt(eigenvalues.sum() / (n_units * fan_in)))
    if scale == 0:
        return SpectralDensity(eigenvalues, 0.0, 0.0, 0.0, 0)
    law = marchenko_pastur(eigenvalues, n_units, fan_in, scale)
    return SpectralDensity(eigenvalues, scale, law.lower, law.upper, int((eigenvalues > law.upper).sum()))


def effective_rank(values: npt.ArrayLike) -> float:
    """exp of the entropy of the singular values' shares s_i/Σs, between 1 and their number.

    This is Roy & Vetterli's effective rank; other papers use squares. nan if all values are 0.

    Parameters
    ----------
    values : (rank,) singular values, ≥ 0

    References
    ----------
    Roy & Vetterli 2007.
    """
    shares = _checked_values(values)
    if not shares.any():
        return float("nan")
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def stable_rank(values: npt.ArrayLike) -> float:
    """‖W‖²_F / ‖W‖²_2 from the singular values, between 1 and the rank; nan if all are 0."""
    array = _checked_values(values)
    return float(np.square(array / array.max()).sum()) if array.any() else float("nan")


def reconstruction_error(values: npt.ArrayLike) -> ReconstructionError:
    """RE_k for every k and its knee argmax_k(1 − k/r − RE_k/RE_0), the first one at a tie.

    Parameters
    ----------
    values : (r,) singular values of the layer, all r = min(N, d) of them
    """
    squares = np.sort(_checked_values(values))[::-1] ** 2
    # Summed from the smallest up, so that the last errors keep their digits.
    errors = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
    rank = squares.size
    if errors[0] == 0:
        return ReconstructionError(errors, 0, rank)
    gain = 1 - np.arange(rank + 1) / rank - errors / errors[0]
    # Equal singular values gain nothing anywhere; rounding shall not choose among them.
    return ReconstructionError(errors, int(np.argmax(gain > gain.max() - 1e-12)), rank)


def low_rank(weights: npt.ArrayLike, k: int) -> LowRank:
    """W_k, the closest matrix of rank ≤ k (Eckart & Young 1936).

    Parameters
    ----------
    weights : (n_units, fan_in)
    k : 0 … min(N, d)
    """
    array = as_weights(weights)
    if not 0 <= k <= min(array.shape):
        raise ValueError(f"k: {k}, expected 0 to min(N, d) = {min(array.shape)}.")
    left, values, right = strongest_directions(array, k)
    kept = (left * values[:k]) @ right
    total = np.linalg.norm(array)
    return LowRank(kept, float(min(1, np.linalg.norm(kept) / total)) if total > 0 else float("nan"))


def selected_split(weights: Weights, norm_cutoff: float) -> SelectedSplit:
    """Singular values of the units with norm > cutoff, and of the others.

    Parameters
    ----------
    weights : (n_units, fan_in)
    norm_cutoff : weight units
    """
    pairs = isinstance(weights, Pairs)
    layer = weights if pairs else as_weights(weights)
    selected = (layer.norms if pairs else row_norms(layer)) > norm_cutoff
    spectra = [split_values(layer, mask) for mask in (selected, ~selected)]
    return SelectedSplit(selected, spectra[0], spectra[1])


def split_values(weights: Weights, mask: Bools) -> Floats:
    """Singular values of the chosen units' own matrix, descending; empty where no unit is chosen."""
    if not mask.any():
        return np.empty(0)
    if isinstance(weights, Pairs):
        return singular_values(among(weights, mask))
    return singular_values(as_weights(weights)[mask])


def _checked_values(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all() or array.min() < 0:
        raise ValueError(f"values: shape {array.shape}, expected finite singular values ≥ 0 in one dimension.")
    return array
