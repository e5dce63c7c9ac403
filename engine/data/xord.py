"""The XORD problem: is there a pair with equal entries?

References
----------
Brutzkus & Globerson 2019 (arXiv 1810.03037): the patterns, the label, diverse points.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from prunescope.engine.data.dataset import LoadOptions, RawData

# p1 … p4 of the paper; p1 and p3, whose entries are equal, make a point positive.
PATTERNS = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]], np.float32)
POSITIVE_PATTERNS = frozenset({0, 2})
CLASS_NAMES = ("negative", "positive")

# All diverse points of one label give the same gradient: more would add time and change nothing.
_DEFAULT_EXAMPLES = 64
# The task has no sampling noise to average over, so runs of all seeds see the same points.
_SEED = 0


def load_xord(options: LoadOptions) -> RawData:
    """Diverse points to train on, half of each label, and one point per set of patterns to validate.

    A diverse positive point holds all four patterns, a diverse negative one both p2 and p4. A network
    that takes the maximum over the pairs sees a point only through the set of its patterns, so the
    error over the 15 non-empty sets is the exact test error.

    Returns
    -------
    RawData
        Inputs (n, pairs, 2) of ±1.
    """
    rng = np.random.default_rng(_SEED)
    n = options.train_examples or _DEFAULT_EXAMPLES
    labels = np.arange(n) % 2
    train = [_diverse_point(options.pairs, range(4) if label else (1, 3), rng) for label in labels]
    val_x, val_y = all_pattern_sets(options.pairs)
    return RawData(
        train_x=np.stack(train),
        train_y=labels,
        val_x=val_x,
        val_y=val_y,
        class_names=CLASS_NAMES,
        standardise=False,
    )


def all_pattern_sets(pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """One point for each non-empty set of patterns that a point can hold, and its label.

    Parameters
    ----------
    pairs : int, at least 4

    Returns
    -------
    (15, pairs, 2), (15,)
    """
    sets = [chosen for size in range(1, 5) for chosen in combinations(range(4), size)]
    points = np.stack([PATTERNS[np.resize(chosen, pairs)] for chosen in sets])
    labels = np.array([int(bool(POSITIVE_PATTERNS & set(chosen))) for chosen in sets])
    return points, labels


def _diverse_point(pairs: int, patterns: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """A point (pairs, 2) with each of the patterns at least once, in random order."""
    extra = rng.choice(list(patterns), pairs - len(patterns))
    point: np.ndarray = PATTERNS[rng.permutation([*patterns, *extra])]
    return point
