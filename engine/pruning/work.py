"""Prepare a question about accuracy: check it, choose the way to answer it, and count chunk by chunk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from prunescope.engine.pruning.chain import chain_after
from prunescope.engine.pruning.counting import (
    Fast,
    Span,
    build_up,
    fast_hits,
    leave_one_out,
    slow_hits,
    tolerance,
)
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import CONVS, Network, trace
from prunescope.engine.pruning.passage import passage_after
from prunescope.engine.pruning.plan import Ints, Plan, make_plan
from prunescope.engine.pruning.program import Footprint, footprint
from prunescope.engine.pruning.strips import build_up_in_strips
from torch import Tensor, nn

# What a chunk of examples may take while it passes through the network.
_CHUNK_BYTES = 256 << 20
# … and what keeps it in the last-level cache there.
_PART_BYTES = 16 << 20
# Outputs of the reader worked on at once: they should stay in a core's cache from one level to the next.
_CACHE_BYTES = 1 << 20
# Examples that the fast way's margin is measured on: a small share of the work, within these bounds.
_PROBE_SHARE, _FEWEST_PROBES, _MOST_PROBES = 1 / 64, 16, 64


@dataclass(frozen=True, kw_only=True)
class Work:
    """A question, checked and planned.

    Attributes
    ----------
    spans : the masks asked about, as spans of the plan's steps
    chunk : examples at a time
    part : examples that pass through the network at once, where they need not be a chunk
    fast : the fast way, if this network allows one
    tolerance : the margin that the fast way decides by; None until `calibrate` measured it
    path : the name of the way, as results carry it
    """

    plan: Plan
    spans: tuple[Span, ...]
    inputs: Tensor
    targets: Tensor
    chunk: int
    part: int
    fast: Fast | None
    path: str
    tolerance: float | None = None


def prepare(
    model: nn.Module | Network,
    order: Sequence[tuple[str, int]],
    inputs: Tensor,
    targets: Tensor,
    levels: Sequence[int] | Ints | None = None,
    chunk: int | None = None,
    *,
    singles: bool = False,
) -> Work:
    """Check a question and choose how to answer it.

    With `singles` the masks are the whole network and then each step alone, instead of the levels.
    """
    _check_data(inputs, targets)
    plan = make_plan(trace(model, inputs.ndim), order, levels)
    with torch.inference_mode():
        need = footprint(plan.program, inputs)
    _check_classes(targets, need.classes)
    fast, path, in_cache = _choose(plan, need, singles)
    if fast is None:
        size = _CHUNK_BYTES // need.passing
    elif in_cache:
        (reader,) = plan.channels
        outputs = need.shapes[reader].numel() * inputs.element_size()
        size = min(_CHUNK_BYTES // need.passing, _CACHE_BYTES // outputs)
    else:  # what passes through goes in parts; what is kept is held in a few forms
        size = _CHUNK_BYTES // (4 * need.live)
    spans = [(0, int(level)) for level in plan.levels]
    if singles:
        spans = [(0, 0), *((step, step + 1) for step in range(len(order)))]
    return Work(
        plan=plan,
        spans=tuple(spans),
        inputs=inputs,
        targets=targets,
        chunk=min(chunk or max(1, size), len(targets)),
        part=max(1, _PART_BYTES // need.passing),
        fast=fast,
        path=path,
    )


def _choose(plan: Plan, need: Footprint, singles: bool) -> tuple[Fast | None, str, bool]:
    """The fastest way that this network allows, its name, and whether its examples should fit a cache."""
    readers = list(plan.channels)
    module = plan.program.modules.get(readers[0].target) if len(readers) == 1 else None
    if isinstance(module, nn.Linear):
        flat = len(need.shapes[readers[0].all_input_nodes[0]]) == 1
        chain = chain_after(plan) if flat and not singles else None
        if chain is not None:
            return build_up_in_strips(chain), "linear-consumer", False
        return (leave_one_out if singles else build_up)(plan, None), "linear-consumer", True
    if isinstance(module, CONVS) and module.groups == 1:
        passage = passage_after(plan, need.shapes) if isinstance(module, nn.Conv2d) else None
        return (leave_one_out if singles else build_up)(plan, passage), "conv-consumer", True
    shared = any(node.op != "placeholder" for node in plan.program.first)
    return None, "prefix" if shared else "full", False


def calibrate(work: Work, examples: int) -> Work:
    """The same work, ready for its fast way: the margin is measured on the first examples."""
    if work.fast is None:
        return work
    device, few = work.plan.program.device, slice(0, examples)
    with torch.inference_mode():
        inputs, targets = work.inputs[few].to(device), work.targets[few].to(device)
        return replace(work, tolerance=tolerance(work.plan, inputs, targets, work.spans, work.fast))


def count(work: Work, spans: Sequence[Span], examples: slice | Tensor) -> Ints:
    """(n_spans,) correct answers among some examples; by the slow way before `calibrate`."""
    device = work.plan.program.device
    with torch.inference_mode():
        inputs, targets = work.inputs[examples].to(device), work.targets[examples].to(device)
        if work.fast is None or work.tolerance is None:
            return slow_hits(work.plan, work.plan.program.before(inputs), targets, spans)
        return fast_hits(work.plan, inputs, targets, spans, work.fast, work.tolerance, work.part)


def count_all(work: Work) -> Ints:
    """(n_spans,) correct answers among all examples, chunk by chunk."""
    probes = min(_MOST_PROBES, max(_FEWEST_PROBES, round(_PROBE_SHARE * len(work.targets))))
    ready = calibrate(work, probes)
    starts = range(0, len(work.targets), work.chunk)
    return np.asarray(sum(count(ready, work.spans, slice(at, at + work.chunk)) for at in starts))


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


def _check_classes(targets: Tensor, classes: int) -> None:
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        raise PruningError(
            f"targets: classes {low} to {high}, but the network has logits for 0 to {classes - 1}."
        )
