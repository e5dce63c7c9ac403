"""How sure an accuracy measured on n examples is. Needs no torch."""

import numpy as np
import numpy.typing as npt
from prunescope.engine.pruning.errors import PruningError

_Z95 = 1.959963984540054


def wilson_interval(
    correct: npt.ArrayLike, n: npt.ArrayLike, z: float = _Z95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Wilson's score interval of a share: (low, high), 95% by default.

    Unlike p ± z·√(p(1−p)/n) it stays in [0, 1] and does not shrink to nothing at 0 or n of n.

    Parameters
    ----------
    correct, n : counts, numbers or arrays that broadcast
    z : standard normal quantile, 1.96 for 95%

    Raises
    ------
    PruningError
        If some n is not positive, or correct is outside 0 … n.

    References
    ----------
    Wilson 1927, Probable inference, JASA 22.
    """
    k, total = np.asarray(correct, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if (total <= 0).any() or (k < 0).any() or (k > total).any():
        raise PruningError(f"wilson_interval: {correct!r} of {n!r}; want 0 ≤ correct ≤ n and n ≥ 1.")
    share, z2 = k / total, z * z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = z / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    # At the ends the exact bound is 0 or 1; rounding can miss it by an ulp.
    return np.where(k == 0, 0.0, middle - half), np.where(k == total, 1.0, middle + half)
