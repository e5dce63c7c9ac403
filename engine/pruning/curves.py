"""Accuracy of the pruned network: at every level of an order, for each unit alone, for any mask."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from prunescope.engine.pruning.chain import build_up_transposed, chain_after
from prunescope.engine.pruning.counting import (
    Fast,
    Span,
    build_up,
    examples_in_cache,
    fast_hits,
    leave_one_out,
    slow_hits,
    tolerance,
)
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import CONVS, Network, trace
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.pruning.plan import Ints, Plan, make_plan
from prunescope.engine.pruning.program import footprint
from torch import Tensor, nn

# What a chunk of examples may take while it passes through the network.
_CHUNK_BYTES = 256 << 20


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


class PartialCurve(NamedTuple):
    """A curve over the first examples; exact when n_seen equals n_total."""

    removed: Ints
    correct: Ints
    n_seen: int
    n_total: int
    path: str


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
    pairs = [(layer, int(unit)) for unit in _row(order, layer)]
    return global_curve(model, pairs, inputs, targets, levels=levels, chunk=chunk, _layers=(layer,))


def global_curve(
    model: nn.Module | Network,
    order: Sequence[tuple[str, int]],
    inputs: Tensor,
    targets: Tensor,
    *,
    levels: Sequence[int] | Ints | None = None,
    chunk: int | None = None,
    _layers: Sequence[str] = (),
) -> Curve:
    """`accuracy_curve` for an order of (layer, unit) over several layers."""
    work = _prepare(model, order, inputs, targets, levels, chunk, layers=_layers)
    spans = [(0, int(level)) for level in work.plan.levels]
    correct = sum(hits for _, hits in _count(work, spans, work.starts()))
    return Curve(
        removed=work.plan.levels,
        correct=np.asarray(correct),
        n_examples=len(targets),
        path=work.path,
        group=work.plan.group,
    )


def stream_curve(
    model: nn.Module | Network,
    layer: str,
    order: Sequence[int] | Ints,
    inputs: Tensor,
    targets: Tensor,
    *,
    levels: Sequence[int] | Ints | None = None,
    batch: int = 500,
    seed: int = 0,
) -> Iterator[PartialCurve]:
    """The curve over a growing part of the examples, refined until it is exact.

    The examples are taken in a random order fixed by `seed`, so that a part is a fair sample and its Wilson
    interval means something. Closing the generator stops the work; the first part takes `batch` examples,
    each next one up to twice as many.
    """
    pairs = [(layer, int(unit)) for unit in _row(order, layer)]
    work = _prepare(model, pairs, inputs, targets, levels, None, layers=(layer,))
    shuffle = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    spans = [(0, int(level)) for level in work.plan.levels]
    correct = np.zeros(len(spans), dtype=np.int64)
    seen = 0
    for rows in _growing(shuffle, batch, work.chunk):
        index = rows.to(inputs.device)
        part = work.on(inputs[index], targets[rows.to(targets.device)])
        for _, hits in _count(part, spans, part.starts()):
            correct = correct + hits
        seen += len(rows)
        yield PartialCurve(work.plan.levels, correct.copy(), seen, len(targets), work.path)


def unit_ablation(
    model: nn.Module | Network,
    layer: str,
    inputs: Tensor,
    targets: Tensor,
    *,
    chunk: int | None = None,
) -> Ablation:
    """Correct answers with each single unit of a layer removed; exact, by the curve's machinery."""
    network = trace(model, inputs.ndim)
    ids = network.unit_ids(layer)
    _, first, which = np.unique(ids, return_index=True, return_inverse=True)
    pairs = [(layer, int(unit)) for unit in first]
    work = _prepare(network, pairs, inputs, targets, None, chunk, singles=True)
    spans: list[Span] = [(0, 0), *((step, step + 1) for step in range(len(first)))]
    correct = np.asarray(sum(hits for _, hits in _count(work, spans, work.starts())))
    return Ablation(correct[1:][which], int(correct[0]), len(targets), work.path)


def accuracy_of(
    model: nn.Module | Network,
    removed: Mapping[str, Sequence[int] | Ints],
    inputs: Tensor,
    targets: Tensor,
    *,
    chunk: int | None = None,
) -> Measured:
    """Correct answers without these units: {layer: units}, any layers together."""
    pairs = [(layer, int(unit)) for layer, units in removed.items() for unit in _row(units, layer)]
    curve = global_curve(
        model, pairs, inputs, targets, levels=[len(pairs)], chunk=chunk, _layers=tuple(removed)
    )
    return Measured(int(curve.correct[0]), curve.n_examples, curve.group)


# --- the work ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class _Work:
    plan: Plan
    inputs: Tensor
    targets: Tensor
    chunk: int
    fast: Fast | None
    tolerance: float
    path: str

    def starts(self) -> range:
        return range(0, len(self.targets), self.chunk)

    def on(self, inputs: Tensor, targets: Tensor) -> "_Work":
        return _Work(**{**self.__dict__, "inputs": inputs, "targets": targets})


def _prepare(
    model: nn.Module | Network,
    order: Sequence[tuple[str, int]],
    inputs: Tensor,
    targets: Tensor,
    levels: Sequence[int] | Ints | None,
    chunk: int | None,
    *,
    layers: Sequence[str] = (),
    singles: bool = False,
) -> _Work:
    _check_data(inputs, targets)
    network = trace(model, inputs.ndim)
    for layer in layers:
        network.unit_ids(layer)  # an empty order should not hide an unknown layer
    plan = make_plan(network, order, levels)
    with torch.inference_mode():
        size = max(1, min(len(targets), _CHUNK_BYTES // max(1, footprint(plan.program, inputs))))
        fast, path = _choose(plan, singles)
        bound = 0.0
        if fast is not None:
            device = plan.program.device
            few = slice(0, 64)
            spans = [(i, i + 1) for i in range(len(order))] if singles else [(0, int(v)) for v in plan.levels]
            bound = tolerance(plan, inputs[few].to(device), targets[few].to(device), spans, fast)
            if fast in (build_up, leave_one_out):
                size = min(size, examples_in_cache(plan, inputs[few].to(device)))
    return _Work(
        plan=plan,
        inputs=inputs,
        targets=targets,
        chunk=chunk or size,
        fast=fast,
        tolerance=bound,
        path=path,
    )


def _choose(plan: Plan, singles: bool) -> tuple[Fast | None, str]:
    """The fastest way that this network allows, and its name."""
    readers = list(plan.channels)
    module = plan.program.modules.get(readers[0].target) if len(readers) == 1 else None
    if isinstance(module, nn.Linear):
        chain = None if singles else chain_after(plan)
        if chain is not None:
            return build_up_transposed(chain), "linear-consumer"
        return (leave_one_out if singles else build_up), "linear-consumer"
    if isinstance(module, CONVS) and module.groups == 1:
        return (leave_one_out if singles else build_up), "conv-consumer"
    shared = any(node.op != "placeholder" for node in plan.program.first)
    return None, "prefix" if shared else "full"


def _count(work: _Work, spans: Sequence[Span], starts: range) -> Iterator[tuple[int, Ints]]:
    """(examples, correct answers at each span) chunk by chunk."""
    device = work.plan.program.device
    for start in starts:
        part = slice(start, start + work.chunk)
        with torch.inference_mode():
            inputs, targets = work.inputs[part].to(device), work.targets[part].to(device)
            if work.fast is None:
                hits = slow_hits(work.plan, work.plan.program.before(inputs), targets, spans)
            else:
                hits = fast_hits(work.plan, inputs, targets, spans, work.fast, work.tolerance)
        yield len(targets), hits


def _growing(rows: Tensor, first: int, most: int) -> Iterator[Tensor]:
    start, size = 0, max(1, first)
    while start < len(rows):
        yield rows[start : start + size]
        start += size
        size = min(2 * size, max(first, most))


def _row(units: Sequence[int] | Ints, layer: str) -> Ints:
    array = np.asarray(units)
    if array.ndim != 1 or (len(array) and array.dtype.kind not in "iu"):
        raise PruningError(
            f"units of {layer!r}: want whole numbers in one row, got {array.dtype} {array.shape}."
        )
    return array.astype(np.int64)


def _check_data(inputs: Tensor, targets: Tensor) -> None:
    if not isinstance(inputs, Tensor) or not isinstance(targets, Tensor):
        raise PruningError("inputs and targets: want torch tensors, e.g. torch.as_tensor(array).")
    if targets.ndim != 1 or targets.is_floating_point() or len(targets) != len(inputs) or not len(targets):
        raise PruningError(
            f"targets: want (examples,) class numbers for {len(inputs)} inputs, got {targets.dtype} "
            f"{tuple(targets.shape)}."
        )
