"""The width of the similarity graph's kernel over a run, one epoch in memory at a time."""

from collections.abc import Iterable

import numpy as np

# More units than these need a matrix of pairs that no laptop holds for long.
MOST_UNITS = 4096
# Rounding leaves a hair between equal directions.
_NO_WIDTH = 1e-6


def width_over(epochs: Iterable[np.ndarray]) -> float:
    """σ: the mean of D over all pairs and epochs, of (n_units, fan_in) weights each.

    As `engine.geometry.kernel_width`, but epochs without directions have none.
    """
    known = [width for width in map(mean_distance, epochs) if np.isfinite(width)]
    return float(np.mean(known)) if known and np.mean(known) > _NO_WIDTH else 0.0


def mean_distance(weights: np.ndarray) -> float:
    """Mean of D = (1 − cosine)/2 over all pairs of a (n_units, fan_in) float32 layer, itself included.

    As ``kernel_width`` of one epoch, in two passes over the data: Σᵢⱼ⟨ŵᵢ, ŵⱼ⟩ = ‖Σᵢ ŵᵢ‖². Units of norm 0
    are left out; nan where no unit has a direction.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", weights, weights))
    if not np.isfinite(lengths).all() or not lengths.any():
        return float("nan")
    shares = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0) / (lengths > 0).sum()
    return (1 - float(np.square(shares @ weights).sum(dtype=np.float64))) / 2
