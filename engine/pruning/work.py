"""Prepare a question about accuracy: check it, choose the way to answer it, and count chunk by chunk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from prunescope.engine.pruning.chain import chain_after
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
from prunescope.engine.pruning.plan import Ints, Plan, make_plan
from prunescope.engine.pruning.program import footprint, upto
from prunescope.engine.pruning.strips import build_up_in_strips
from torch import Tensor, nn

# What a chunk of examples may take while it passes through the network.
_CHUNK_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True)
class Work:
    """A question, checked and planned.

    Attributes
    ----------
    chunk : examples at a time
    fast, tolerance : the fast way, if this network allows one, and the margin it decides by
    path : the name of the way, as results carry it
    """

    plan: Plan
    inputs: Tensor
    targets: Tensor
    chunk: int
    fast: Fast | None
    tolerance: float
    path: str

    def starts(self) -> range:
        """Where each chunk of examples starts."""
        return range(0, len(self.targets), self.chunk)

    def on(self, inputs: Tensor, targets: Tensor) -> "Work":
        """The same question to other examples."""
        return replace(self, inputs=inputs, targets=targets)


def prepare(
    model: nn.Module | Network,
    order: Sequence[tuple[str, int]],
    inputs: Tensor,
    targets: Tensor,
    levels: Sequence[int] | Ints | None,
    chunk: int | None,
    *,
    singles: bool = False,
) -> Work:
    """Check a question and choose how to answer it; `singles`: each step alone, not one after another."""
    _check_data(inputs, targets)
    network = trace(model, inputs.ndim)
    plan = make_plan(network, order, levels)
    with torch.inference_mode():
        size = max(1, min(len(targets), _CHUNK_BYTES // max(1, footprint(plan.program, inputs))))
        device = plan.program.device
        logits = upto(network, None).before(inputs[:1].to(device))
        _check_classes(targets, next(iter(logits.values())))
        fast, path, in_cache = _choose(plan, inputs[:1].to(device), singles)
        bound = 0.0
        if fast is not None:
            few = slice(0, 64)
            spans = [(i, i + 1) for i in range(len(order))] if singles else [(0, int(v)) for v in plan.levels]
            bound = tolerance(plan, inputs[few].to(device), targets[few].to(device), spans, fast)
            if in_cache:
                size = min(size, examples_in_cache(plan, inputs[few].to(device)))
    return Work(
        plan=plan,
        inputs=inputs,
        targets=targets,
        chunk=chunk or size,
        fast=fast,
        tolerance=bound,
        path=path,
    )


def _choose(plan: Plan, example: Tensor, singles: bool) -> tuple[Fast | None, str, bool]:
    """The fastest way that this network allows, its name, and whether its examples should fit a cache."""
    readers = list(plan.channels)
    module = plan.program.modules.get(readers[0].target) if len(readers) == 1 else None
    if isinstance(module, nn.Linear):
        source = plan.program.before(example)[readers[0].all_input_nodes[0]]
        chain = chain_after(plan) if source.ndim == 2 and not singles else None
        if chain is not None:
            return build_up_in_strips(chain), "linear-consumer", False
        return (leave_one_out if singles else build_up)(plan), "linear-consumer", True
    if isinstance(module, CONVS) and module.groups == 1:
        return (leave_one_out if singles else build_up)(plan), "conv-consumer", True
    shared = any(node.op != "placeholder" for node in plan.program.first)
    return None, "prefix" if shared else "full", False


def count(work: Work, spans: Sequence[Span], starts: range) -> Iterator[tuple[int, Ints]]:
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


def as_units(units: Sequence[int] | Ints, layer: str) -> Ints:
    """(n,) int64 units. Raises PruningError for anything but whole numbers in a row."""
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


def _check_classes(targets: Tensor, logits: Tensor) -> None:
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise PruningError(f"the network's output is {shape}: accuracy needs logits (examples, classes).")
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= logits.shape[1]:
        raise PruningError(
            f"targets: classes {low} to {high}, but the network has logits for 0 to {logits.shape[1] - 1}."
        )
