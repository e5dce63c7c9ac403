"""Which weights or units are removed: exact counts, choices, masks. Arrays only.

A mask is True where kept. What is removed is always counted, never cut at a threshold: keeping
``|w| > threshold`` removes one too many at ties and fails when all are to go.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Masks = dict[str, Mask]
Scores = NDArray[np.floating]


def removed_after(size: int, rate: float, rounds: int) -> int:
    """How many of `size` are gone after `rounds` rounds that each take `rate` of what is left.

    Each round takes round(rate · left), as iterative pruning must count; at rate 1 all.
    """
    left = size
    for _ in range(rounds):
        left -= round(left * rate)
    return size - left


def weight_scores(weights: NDArray[np.floating]) -> Scores:
    """|w| of every weight; Frankle & Carbin 2018, Han et al. 2015."""
    return np.abs(weights)


def unit_scores(weights: NDArray[np.floating], norm: str = "l2") -> Scores:
    """Norm of each unit's weight vector, (units,); "l1" is Li et al. 2016's Σ|K|."""
    rows = np.asarray(weights, dtype=np.float64).reshape(len(weights), -1)
    return np.abs(rows).sum(axis=1) if norm == "l1" else np.sqrt((rows**2).sum(axis=1))


def lowest(scores: Scores, alive: Mask, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Flat indices of the `count` smallest scores among the living; of equal ones the first go."""
    living = np.flatnonzero(alive)
    return living[np.argsort(scores.ravel()[living], kind="stable")[:count]]


def highest(scores: Scores, alive: Mask, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Flat indices of the `count` largest scores among the living."""
    return lowest(-scores, alive, count, rng)


def chance(scores: Scores, alive: Mask, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Flat indices of `count` living entries, drawn uniformly."""
    return rng.permutation(np.flatnonzero(alive))[:count]


Selection = Callable[[Scores, Mask, int, np.random.Generator], NDArray[np.int64]]

# Named by what is removed first.
SELECTIONS: dict[str, Selection] = {"smallest": lowest, "largest": highest, "random": chance}


def prune(scores: Scores, mask: Mask, count: int, select: str = "smallest", seed: int = 0) -> Mask:
    """Remove exactly `count` of the entries that `mask` still keeps.

    Parameters
    ----------
    scores, mask : of one shape
    count : 0 … number kept

    Raises
    ------
    ValueError
        If more are to go than there are, naming both numbers.
    """
    kept = int(mask.sum())
    if not 0 <= count <= kept:
        raise ValueError(f"{count} entries are to be removed and {kept} are left: remove 0 to {kept}.")
    gone = SELECTIONS[select](scores, mask, count, np.random.default_rng(seed))
    pruned = mask.copy()
    pruned.ravel()[gone] = False
    return pruned


def prune_layers(
    scores: Mapping[str, Scores],
    masks: Mapping[str, Mask],
    rates: Mapping[str, float],
    *,
    rounds: int = 1,
    select: str = "smallest",
    seed: int = 0,
) -> Masks:
    """Each layer loses its own rate of what it has left; layers without a rate stay."""
    pruned = dict(masks)
    for index, (layer, rate) in enumerate(rates.items()):
        count = removed_after(int(masks[layer].sum()), rate, rounds)
        pruned[layer] = prune(scores[layer], masks[layer], count, select, seed=seed * 1000 + index)
    return pruned


def prune_global(
    scores: Mapping[str, Scores],
    masks: Mapping[str, Mask],
    rates: Mapping[str, float],
    *,
    rounds: int = 1,
    select: str = "smallest",
    seed: int = 0,
) -> Masks:
    """Layers of the same rate are ranked together: a layer may lose more than another.

    The usual case is one rate for all hidden layers and half of it for the output layer, which is
    then a pool of its own (Frankle & Carbin 2018 prune deep nets so, "global").
    """
    pruned = dict(masks)
    for index, rate in enumerate(dict.fromkeys(rates.values())):
        pool = [layer for layer in rates if rates[layer] == rate]
        joint = np.concatenate([scores[layer].ravel() for layer in pool])
        alive = np.concatenate([masks[layer].ravel() for layer in pool])
        count = removed_after(int(alive.sum()), rate, rounds)
        kept = prune(joint, alive, count, select, seed=seed * 1000 + index)
        ends = np.cumsum([masks[layer].size for layer in pool])[:-1]
        for layer, part in zip(pool, np.split(kept, ends), strict=True):
            pruned[layer] = part.reshape(masks[layer].shape)
    return pruned


SCOPES = {"layer": prune_layers, "global": prune_global}


def quality_mask(weights: NDArray[np.floating], quality: float) -> Mask:
    """Han et al. 2015: keep the weights above quality × the layer's standard deviation."""
    return np.asarray(np.abs(weights) >= quality * weights.std())


def shuffled(masks: Mapping[str, Mask], seed: int) -> Masks:
    """Random masks that keep as many in every layer: the control for which ones, at equal size."""
    rng = np.random.default_rng(seed)
    return {layer: rng.permutation(mask.ravel()).reshape(mask.shape) for layer, mask in masks.items()}


def cumulative_counts(size: int, ratio: float, times: int) -> list[int]:
    """Removed in total after each of `times` equal steps to ratio · size; the last is exactly that.

    The seed author's iterative pruning removes ratio/k each time, k = 1 + (end − start) // interval.
    """
    return [round(size * ratio * (index + 1) / times) for index in range(times)]


class Overlap(NamedTuple):
    """How alike two masks are.

    intersection_over_union : of the kept entries; nan if neither keeps any
    expected : of two independent random masks that keep as many
    """

    intersection_over_union: float
    expected: float


def overlap(one: Mask, other: Mask) -> Overlap:
    """Kept entries that two masks share, beside what chance gives.

    For kept fractions p and q chance gives pq / (p + q − pq).
    """
    if one.shape != other.shape:
        raise ValueError(f"masks of shapes {one.shape} and {other.shape}: compare the same layer only.")
    union = int((one | other).sum())
    p, q = float(one.mean()), float(other.mean())
    if union == 0:
        return Overlap(float("nan"), float("nan"))
    return Overlap(int((one & other).sum()) / union, p * q / (p + q - p * q))
