"""Alignment as a race between neurons: who points right early, grows."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, Ints, as_weights, row_cosines, row_norms
from prunescope.engine.geometry.frames import cosine_matrix
from prunescope.engine.geometry.pairs import Weights


class Race(NamedTuple):
    """Early alignment and final size of each neuron.

    alignment : (n_units,) cosine of the early weight vector to the target direction
    strength : (n_units,) final a = ‖w⁽¹⁾‖ ‖w⁽²⁾‖
    norms : (n_units,) final ‖w⁽¹⁾‖, for the colour
    spearman, p_value : rank correlation of alignment and strength; nan for fewer than 3 units
    """

    alignment: Floats
    strength: Floats
    norms: Floats
    spearman: float
    p_value: float


def alignment_race(
    early: npt.ArrayLike, final: npt.ArrayLike, outgoing: npt.ArrayLike, targets: npt.ArrayLike | None = None
) -> Race:
    """Does alignment early in training predict which neurons grow?

    Parameters
    ----------
    early : (n_units, fan_in) incoming weights w⁽¹⁾ at an early epoch, no row of norm 0
    final : (n_units, fan_in) at the end
    outgoing : (n_units, fan_out) outgoing weights w⁽²⁾ at the end; for the next layer's weight, its transpose
    targets : (n_units, fan_in) direction that each neuron turns to; its own final direction if not given

    References
    ----------
    Pinson 2026, arXiv 2602.04832.
    """
    from scipy.stats import spearmanr

    start, end = as_weights(early, "early"), as_weights(final, "final")
    goal = end if targets is None else as_weights(targets, "targets")
    out = as_weights(outgoing, "outgoing")
    if not start.shape == end.shape == goal.shape or len(out) != len(start):
        raise ValueError(
            f"early, final, targets, outgoing: shapes {start.shape}, {end.shape}, {goal.shape}, {out.shape}; "
            f"expected three of one shape and one row of outgoing weights for each unit."
        )
    alignment = row_cosines(start, goal, ("early", "final" if targets is None else "targets"))
    norms = row_norms(end)
    strength = norms * row_norms(out)
    if len(start) < 3 or np.ptp(alignment) == 0 or np.ptp(strength) == 0:
        return Race(alignment, strength, norms, float("nan"), float("nan"))
    found = spearmanr(alignment, strength)
    return Race(alignment, strength, norms, float(found.statistic), float(found.pvalue))


def direction_clusters(weights: Weights, cosine: float = 0.99) -> Ints:
    """Groups of units joined by pairs with a cosine above the bound: (n_units,) labels, largest group 0.

    Parameters
    ----------
    weights : (n_units, fan_in), no row of norm 0
    cosine : in [−1, 1)

    References
    ----------
    Pinson 2026 counts clusters at .99.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n_found, found = connected_components(csr_array(cosine_matrix(weights) > cosine), directed=False)
    order = np.argsort(-np.bincount(found, minlength=n_found), kind="stable")
    names = np.empty(n_found, dtype=np.int64)
    names[order] = np.arange(n_found)
    return names[found]
