"""Count correct answers under many masks, exactly.

A mask removes a *span* of a plan's steps: (0, k) for the k-th level of a curve, (i, i + 1) for one unit
alone. Three ways give the counts of evaluating each masked network by itself:

- `slow_hits`: what comes before the readers once, the rest for every mask;
- `build_up`: with a single dense reader its outputs are a sum over units, so they grow unit by unit from
  the fully pruned network and only what comes after is re-run. Adding keeps float32 honest where
  subtracting from the full network drifts (33 of 10,000 counts were wrong in a trial);
- `chain.build_up_transposed`: the same, kept in cache, where only linear layers and activations follow.

Sums in another order differ in their last bits, so the fast ways decide an example only when its margin
(target's logit minus the best other) is far above the difference that `tolerance` measures on this very
batch. What is left is evaluated as the slow way would, by argmax: counts are identical.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from prunescope.engine.pruning.plan import Ints, Plan
from prunescope.engine.pruning.program import Values, as_index
from torch import Tensor, nn

Span = tuple[int, int]
# (plan, values before the readers, targets, spans) -> (n_spans, examples) margins
Fast = Callable[[Plan, Values, Tensor, Sequence[Span]], Tensor]

# A margin may be wrong by more than on the few examples measured; most examples are nowhere near this.
_HEADROOM = 32
_PROBE_EXAMPLES = 64
_PROBE_SPANS = 5
# Outputs of the reader worked on at once: they should stay in a core's cache from one level to the next.
_CACHE_BYTES = 2 << 20


def slow_hits(plan: Plan, values: Values, targets: Tensor, spans: Sequence[Span]) -> Ints:
    """(n_spans,) correct answers by argmax, each mask evaluated on its own."""
    found = [(plan.program.after(values, plan.masks(*span)).argmax(1) == targets).sum() for span in spans]
    return torch.stack(found).cpu().numpy().astype(np.int64)


def fast_hits(
    plan: Plan, inputs: Tensor, targets: Tensor, spans: Sequence[Span], fast: Fast, tolerance: float
) -> Ints:
    """(n_spans,) correct answers by margins, the doubtful ones evaluated anew."""
    margins = fast(plan, plan.program.before(inputs), targets, spans)
    counts = (margins > tolerance).sum(1).cpu().numpy().astype(np.int64)
    doubtful = ~(margins.abs() > tolerance)  # nan counts as doubtful
    rows = doubtful.any(0).nonzero()[:, 0]
    if len(rows):
        values, wanted = plan.program.before(inputs[rows]), targets[rows]
        for position in doubtful.any(1).nonzero()[:, 0].tolist():
            hits = plan.program.after(values, plan.masks(*spans[position])).argmax(1) == wanted
            counts[position] += int((hits & doubtful[position, rows]).sum())
    return counts


def tolerance(plan: Plan, inputs: Tensor, targets: Tensor, spans: Sequence[Span], fast: Fast) -> float:
    """A margin above this is decided alike by the fast and the slow way; measured on a few examples."""
    picks = np.unique(np.linspace(0, len(spans) - 1, _PROBE_SPANS).round().astype(int))
    few = [spans[i] for i in picks]
    inputs, targets = inputs[:_PROBE_EXAMPLES], targets[:_PROBE_EXAMPLES]
    values = plan.program.before(inputs)
    slow = torch.stack([margins_of(plan.program.after(values, plan.masks(*span)), targets) for span in few])
    difference = (fast(plan, values, targets, few) - slow).abs().nan_to_num()
    return _HEADROOM * float(difference.max()) + 16 * torch.finfo(slow.dtype).eps * float(slow.abs().max())


def margins_of(logits: Tensor, targets: Tensor) -> Tensor:
    """(examples,) target's logit minus the best other."""
    own = logits.gather(1, targets[:, None])
    others = logits.scatter(1, targets[:, None], -torch.inf)
    return (own - others.amax(1, keepdim=True))[:, 0]


def build_up(plan: Plan, values: Values, targets: Tensor, spans: Sequence[Span]) -> Tensor:
    """Margins at nested spans (0, k), built from the largest k down to the smallest."""
    (node,) = plan.channels
    layer, source = plan.program.modules[node.target], values[node.all_input_nodes[0]]
    above = spans[-1][1]
    outputs = layer(plan.program.stop(node, source, plan.masks(0, above)[node])).clone()
    margins = torch.empty(len(spans), len(targets), dtype=outputs.dtype, device=outputs.device)
    for position in range(len(spans) - 1, -1, -1):
        level = spans[position][1]
        _add(plan, layer, outputs, source, plan.between(node, level, above))
        above = level
        margins[position] = margins_of(plan.program.after({**values, node: outputs}, {}), targets)
    return margins


def leave_one_out(plan: Plan, values: Values, targets: Tensor, spans: Sequence[Span]) -> Tensor:
    """Margins under spans that do not build on each other: each taken off the full network."""
    (node,) = plan.channels
    layer, source = plan.program.modules[node.target], values[node.all_input_nodes[0]]
    outputs = layer(source)
    margins = torch.empty(len(spans), len(targets), dtype=outputs.dtype, device=outputs.device)
    for position, span in enumerate(spans):
        without = outputs.clone()
        _add(plan, layer, without, source, plan.between(node, *span), sign=-1)
        margins[position] = margins_of(plan.program.after({**values, node: without}, {}), targets)
    return margins


def _add(
    plan: Plan, layer: nn.Module, outputs: Tensor, source: Tensor, channels: Ints, sign: int = 1
) -> None:
    """Add what some input channels contribute to a dense layer's outputs, in place."""
    if not len(channels):
        return
    columns = as_index(channels, plan.program.device)
    weight = layer.weight.index_select(1, columns)
    if isinstance(layer, nn.Linear):
        outputs.add_(source.index_select(-1, columns) @ weight.T, alpha=sign)
    else:
        outputs.add_(layer._conv_forward(source.index_select(1, columns), weight, None), alpha=sign)


def examples_in_cache(plan: Plan, inputs: Tensor) -> int:
    """How many examples the ways that keep a dense reader's outputs should work on at once."""
    (node,) = plan.channels
    values = plan.program.before(inputs[:1])
    outputs = plan.program.modules[node.target](values[node.all_input_nodes[0]])
    return max(1, _CACHE_BYTES // outputs.nbytes)
