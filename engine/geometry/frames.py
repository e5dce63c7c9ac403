"""Frame potential and mean |inner product|: how redundant are a layer's directions?"""

from typing import NamedTuple

import numpy as np
from prunescope.engine.geometry._arrays import Floats, as_weights, unit_rows
from prunescope.engine.geometry.nulls import expected_frame_potential
from prunescope.engine.geometry.pairs import Pairs, Weights, live_pairs


class FrameSummary(NamedTuple):
    """One epoch's redundancy, from one Gram matrix.

    frame_potential : Σ_ij⟨ŵ_i,ŵ_j⟩², between N²/min(N, d) and N²
    per_pair : frame_potential / N², in (0, 1]
    expected : frame potential of random directions, N + N(N−1)/d
    mean_abs_inner_product : Σ|⟨ŵ_i,ŵ_j⟩| / N², the diagonal included
    unnormalised : Σ_ij⟨w_i,w_j⟩², in weight⁴
    """

    frame_potential: float
    per_pair: float
    expected: float
    mean_abs_inner_product: float
    unnormalised: float


class LeaveOneOut(NamedTuple):
    """Each metric of the layer without unit i: (n_units,) each; nan for a layer of one unit.

    frame_potential, mean_abs_inner_product, unnormalised : as in FrameSummary, over N − 1 units
    """

    frame_potential: Floats
    mean_abs_inner_product: Floats
    unnormalised: Floats


def cosine_matrix(weights: Weights) -> Floats:
    """Inner products of the unit weight vectors: (n_units, n_units), in [−1, 1], diagonal 1.

    Raises
    ------
    ValueError
        If a row has norm 0 or is not finite.
    """
    return live_pairs(weights).cosines


def frame_potential(weights: Weights) -> float:
    """Σ_ij⟨ŵ_i,ŵ_j⟩² of a (n_units, fan_in) layer; 0 for no direction is not defined (ValueError).

    Least, N²/min(N, d) or N, for a tight frame (directions spread evenly), most, N², on one line.

    References
    ----------
    Benedetto & Fickus 2003.
    """
    if isinstance(weights, Pairs):
        return float(np.square(cosine_matrix(weights)).sum())
    directions = unit_rows(weights)
    # ‖ŴŴᵀ‖ = ‖ŴᵀŴ‖: the smaller of the two matrices is enough.
    smaller = directions if len(directions) <= directions.shape[1] else directions.T
    return float(np.square(smaller @ smaller.T).sum())


def unnormalised_frame_potential(weights: Weights) -> float:
    """‖WWᵀ‖²_F = Σ_ij⟨w_i,w_j⟩² of a (n_units, fan_in) layer, in weight⁴; large norms dominate."""
    if isinstance(weights, Pairs):
        lengths = weights.norms**2
        return float(lengths @ np.square(weights.cosines) @ lengths)
    array = as_weights(weights)
    smaller = array if len(array) <= array.shape[1] else array.T
    return float(np.square(smaller @ smaller.T).sum())


def mean_abs_inner_product(weights: Weights) -> float:
    """Σ_ij|⟨ŵ_i,ŵ_j⟩| / N² of a (n_units, fan_in) layer, the diagonal included: in [1/N, 1]."""
    return float(np.abs(cosine_matrix(weights)).mean())


def frame_summary(weights: Weights) -> FrameSummary:
    """All of an epoch's frame metrics at once; `weights` is (n_units, fan_in), no row of norm 0."""
    pairs = live_pairs(weights)
    n_units, lengths = len(pairs.norms), pairs.norms**2
    squares = np.square(pairs.cosines)
    potential = float(squares.sum())
    return FrameSummary(
        frame_potential=potential,
        per_pair=potential / n_units**2,
        expected=expected_frame_potential(n_units, pairs.fan_in),
        mean_abs_inner_product=float(np.abs(pairs.cosines).mean()),
        unnormalised=float(lengths @ squares @ lengths),
    )


def leave_one_out(weights: Weights) -> LeaveOneOut:
    """Every metric without each single unit, from one Gram matrix in O(N²).

    Removing unit i takes its row and column out of the sum and its diagonal entry only once:
    M₋ᵢ = M − 2 Σ_j m_ij + m_ii. Forming the Gram matrix anew for every unit costs O(N³ d).

    Parameters
    ----------
    weights : (n_units, fan_in), no row of norm 0
    """
    pairs = live_pairs(weights)
    n_units, lengths = len(pairs.norms), pairs.norms**2
    if n_units == 1:
        nothing = np.full(1, np.nan)
        return LeaveOneOut(nothing, nothing.copy(), nothing.copy())
    squares = np.square(pairs.cosines)
    # Row sums of l_i l_j cos²_ij without forming that matrix; its diagonal is l².
    rows = lengths * (squares @ lengths)
    return LeaveOneOut(
        frame_potential=_without_each(squares.sum(axis=1), 1.0),
        mean_abs_inner_product=_without_each(np.abs(pairs.cosines).sum(axis=1), 1.0) / (n_units - 1) ** 2,
        unnormalised=_without_each(rows, lengths**2),
    )


def _without_each(rows: Floats, diagonal: Floats | float) -> Floats:
    """The whole sum less a row, a column, and the diagonal entry that both hold."""
    return np.asarray(rows.sum() - 2 * rows + diagonal)
