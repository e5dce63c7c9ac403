"""Accuracy of the pruned network: at every level of an order, for each unit alone, for any mask."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from prunescope.engine.pruning.flow import Network, trace
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.pruning.plan import Ints
from prunescope.engine.pruning.work import as_units, count_all, prepare
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Correct answers at each level of removal.

    Attributes
    ----------
    removed : (n_levels,) int, how many units of the order are removed, rising
    correct : (n_levels,) int, correct answers of the masked network: exact counts
    n_examples : int
    path : how it was computed; every path gives the same counts
        "linear-consumer", "conv-consumer": the layer that reads the units was built up unit by unit;
        "prefix": what precedes the readers was computed once; "full": nothing could be shared
    group : layer -> units that go with the whole order. Where units of several layers are summed (a
        residual stream) or handed on (depthwise), they can only go together, and all are listed
    """

    removed: Ints
    correct: Ints
    n_examples: int
    path: str
    group: dict[str, tuple[int, ...]]

    @property
    def accuracy(self) -> np.ndarray:
        """(n_levels,) share of correct answers."""
        return self.correct / self.n_examples

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """95% Wilson interval of each accuracy, as an estimate for new examples."""
        return wilson_interval(self.correct, self.n_examples)


class Ablation(NamedTuple):
    """Correct answers with each single unit (and its coupled group) removed; `baseline` with none."""

    correct: Ints
    baseline: int
    n_examples: int
    path: str


class Measured(NamedTuple):
    """Correct answers under one mask; group: every unit that went with it."""

    correct: int
    n_examples: int
    group: dict[str, tuple[int, ...]]


def accuracy_curve(
    model: nn.Module | Network,
    layer: str,
    order: Sequence[int] | Ints,
    inputs: Tensor,
    targets: Tensor,
    *,
    levels: Sequence[int] | Ints | None = None,
    chunk: int | None = None,
) -> Curve:
    """Correct answers with the first 0, 1, 2, … units of an order removed.

    The counts are those of evaluating the masked network at every level; the cost is about that of one
    evaluation plus what follows the layer's reader at each level. Removing every unit is allowed.

    Parameters
    ----------
    model : in any mode; it is copied, evaluated in evaluation mode and not changed
    layer : name of a module with units
    order : units, first removed first; all of them or only some
    inputs, targets : (examples, …) and (examples,) int64 class numbers
    levels : counts of removed units to evaluate; all by default
    chunk : examples at a time; by default what fits 256 MB

    Raises
    ------
    PruningError
        For an unknown layer, a strange or repeated unit, units that cannot be removed exactly, inputs
        that do not fit, weights that are not finite.
    """
    network = with_layers(model, inputs, [layer])
    pairs = [(layer, int(unit)) for unit in as_units(order, layer)]
    return global_curve(network, pairs, inputs, targets, levels=levels, chunk=chunk)


def global_curve(
    model: nn.Module | Network,
    order: Sequence[tuple[str, int]],
    inputs: Tensor,
    targets: Tensor,
    *,
    levels: Sequence[int] | Ints | None = None,
    chunk: int | None = None,
) -> Curve:
    """`accuracy_curve` for an order of (layer, unit) over several layers."""
    work = prepare(model, order, inputs, targets, levels, chunk)
    return Curve(
        removed=work.plan.levels,
        correct=count_all(work),
        n_examples=len(targets),
        path=work.path,
        group=work.plan.group,
    )


def unit_ablation(
    model: nn.Module | Network,
    layer: str,
    inputs: Tensor,
    targets: Tensor,
    *,
    chunk: int | None = None,
) -> Ablation:
    """Correct answers with each single unit of a layer removed; exact, by the curve's machinery."""
    network = with_layers(model, inputs, [layer])
    pairs, which = singles(network, layer)
    work = prepare(network, pairs, inputs, targets, chunk=chunk, singles=True)
    correct = count_all(work)
    return Ablation(correct[1:][which], int(correct[0]), len(targets), work.path)


def singles(network: Network, layer: str) -> tuple[list[tuple[str, int]], Ints]:
    """One unit of each coupled group of a layer, and (units,) the group of every unit."""
    _, first, which = np.unique(network.unit_ids(layer), return_index=True, return_inverse=True)
    return [(layer, int(unit)) for unit in first], which.astype(np.int64)


def accuracy_of(
    model: nn.Module | Network,
    removed: Mapping[str, Sequence[int] | Ints],
    inputs: Tensor,
    targets: Tensor,
    *,
    chunk: int | None = None,
) -> Measured:
    """Correct answers without these units: {layer: units}, any layers together."""
    network = with_layers(model, inputs, removed)
    pairs = [(layer, int(unit)) for layer, units in removed.items() for unit in as_units(units, layer)]
    curve = global_curve(network, pairs, inputs, targets, levels=[len(pairs)], chunk=chunk)
    return Measured(int(curve.correct[0]), curve.n_examples, curve.group)


def with_layers(model: nn.Module | Network, inputs: Tensor, layers: Iterable[str]) -> Network:
    """The traced network; an unknown or unremovable layer is an error even where no unit is to go."""
    network = trace(model, inputs.ndim if isinstance(inputs, Tensor) else None)
    for layer in layers:
        network.unit_ids(layer)
    return network
