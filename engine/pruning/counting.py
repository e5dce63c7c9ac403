"""Count correct answers under many masks, exactly.

A mask removes a *span* of a plan's steps: (0, k) for the k-th level of a curve, (i, i + 1) for one unit
alone. Three ways give the counts of evaluating each masked network by itself:

- `slow_hits`: what comes before the readers once, the rest for every mask;
- `build_up`: with a single dense reader its outputs are a sum over units, so they grow unit by unit from
  the fully pruned network and only what comes after is re-run. Adding keeps float32 honest where
  subtracting from the full network drifts (33 of 10,000 counts were wrong in a trial);
- `strips.build_up_in_strips`: the same, kept in cache, where only linear layers and activations follow.

Sums in another order differ in their last bits, so the fast ways decide an example only when its margin
(target's logit minus the best other) is far above the difference that `tolerance` measures on this very
batch. What is left is evaluated as the slow way would, by argmax: counts are identical.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from prunescope.engine.pruning.plan import Ints, Plan
from prunescope.engine.pruning.program import Program, Values, as_index, behind
from torch import Tensor, fx, nn

Span = tuple[int, int]
# (plan, values before the readers, targets, spans) -> parts: (n_spans, some examples) margins, and which
# examples these are
Fast = Callable[[Plan, Values, Tensor, Sequence[Span]], Iterator[tuple[Tensor, Tensor]]]

# A margin may be wrong by more than on the few examples measured; most examples are nowhere near this.
_HEADROOM = 32
_PROBE_SPANS = 5
# Rows that make a matrix product worth its reading of the weights.
_STACK_ROWS = 256
_STACK_BYTES = 32 << 20


def slow_hits(plan: Plan, values: Values, targets: Tensor, spans: Sequence[Span]) -> Ints:
    """(n_spans,) correct answers by argmax, each mask evaluated on its own."""
    found = [(plan.program.after(values, plan.masks(*span)).argmax(1) == targets).sum() for span in spans]
    return torch.stack(found).cpu().numpy().astype(np.int64)


def fast_hits(
    plan: Plan,
    inputs: Tensor,
    targets: Tensor,
    spans: Sequence[Span],
    fast: Fast,
    tolerance: float,
    part: int,
) -> Ints:
    """(n_spans,) correct answers by margins, the doubtful ones evaluated anew."""
    counts = np.zeros(len(spans), dtype=np.int64)
    values = plan.program.before_in_parts(quick_layout(plan, inputs), part)
    for margins, examples in fast(plan, values, targets, spans):
        if not float(margins.abs().amin()) > tolerance:  # nan is not
            doubtful = ~(margins.abs() > tolerance)
            counts += _doubtful_hits(plan, inputs[examples], targets[examples], spans, doubtful)
            margins.masked_fill_(doubtful, -1)
        counts += _count_positive(margins)
    return counts


def _doubtful_hits(
    plan: Plan, inputs: Tensor, targets: Tensor, spans: Sequence[Span], doubtful: Tensor
) -> Ints:
    """(n_spans,) correct answers among the doubtful (n_spans, examples), evaluated the slow way."""
    counts = np.zeros(len(spans), dtype=np.int64)
    columns = doubtful.any(0).nonzero()[:, 0]
    values, wanted = plan.program.before(inputs[columns]), targets[columns]
    for position in doubtful.any(1).nonzero()[:, 0].tolist():
        hits = plan.program.after(values, plan.masks(*spans[position])).argmax(1) == wanted
        counts[position] = int((hits & doubtful[position, columns]).sum())
    return counts


def _count_positive(margins: Tensor) -> Ints:
    """(n_spans,) positive entries of rows without zeros; adding signs is eight times as fast as booleans."""
    # Whole numbers below 2^24 are exact in float32.
    surplus = sum(part.sign().sum(1).double() for part in margins.split(1 << 23, dim=1))
    return ((surplus + margins.shape[1]) / 2).cpu().numpy().astype(np.int64)


def tolerance(plan: Plan, inputs: Tensor, targets: Tensor, spans: Sequence[Span], fast: Fast) -> float:
    """A margin above this is decided alike by the fast and the slow way; measured on these few examples."""
    picks = np.unique(np.linspace(0, len(spans) - 1, _PROBE_SPANS).round().astype(int))
    few = [spans[i] for i in picks]
    values = plan.program.before(inputs)
    slow = torch.stack([margins_of(plan.program.after(values, plan.masks(*span)), targets) for span in few])
    quick = fast(plan, plan.program.before(quick_layout(plan, inputs)), targets, few)
    difference = max(
        float((margins - slow[:, examples]).abs().nan_to_num().max()) for margins, examples in quick
    )
    return _HEADROOM * difference + 16 * torch.finfo(slow.dtype).eps * float(slow.abs().max())


def margins_of(logits: Tensor, targets: Tensor) -> Tensor:
    """(examples,) target's logit minus the best other."""
    own = logits.gather(1, targets[:, None])
    others = logits.scatter(1, targets[:, None], -torch.inf)
    return (own - others.amax(1, keepdim=True))[:, 0]


def build_up(plan: Plan) -> Fast:
    """Margins at nested spans (0, k), the reader's outputs built from the largest k down to the smallest."""
    return _with_tail(plan, _growing_outputs)


def leave_one_out(plan: Plan) -> Fast:
    """Margins under spans that do not build on each other: each taken off the full network."""
    return _with_tail(plan, _lessened_outputs)


# (plan, reader, its input, spans) -> (position of the span, the reader's outputs)
_Outputs = Callable[[Plan, fx.Node, Tensor, Sequence[Span]], Iterator[tuple[int, Tensor]]]


def _with_tail(plan: Plan, outputs_under: _Outputs) -> Fast:
    """Run what follows the reader mask by mask in cache, and from the next linear layer on many at once."""
    (node,) = plan.channels
    program = plan.program
    neck, tail = _neck(plan)

    def margins(
        _: Plan, values: Values, targets: Tensor, spans: Sequence[Span]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        source = values[node.all_input_nodes[0]]
        found: list[Tensor] = [targets] * len(spans)  # every entry is replaced below
        waiting: dict[int, Tensor] = {}
        for count, (position, outputs) in enumerate(outputs_under(plan, node, source, spans), start=1):
            value = program.value(neck, {**values, node: outputs}, {})
            if tail is None:
                found[position] = margins_of(value, targets)
                continue
            shared = value.untyped_storage().data_ptr() == outputs.untyped_storage().data_ptr()
            waiting[position] = value.clone() if shared else value
            rows = len(waiting) * len(targets)
            if count == len(spans) or rows >= _STACK_ROWS or rows * value[0].nbytes >= _STACK_BYTES:
                stacked = tail.after({neck: torch.cat(list(waiting.values()))}, {})
                parts = margins_of(stacked, targets.repeat(len(waiting))).split(len(targets))
                for at, part in zip(waiting, parts, strict=True):
                    found[at] = part
                waiting = {}
        yield torch.stack(found), torch.arange(len(targets), device=targets.device)

    return margins


def _neck(plan: Plan) -> tuple[fx.Node, Program | None]:
    """Where examples of many masks can be stacked: the input of a linear layer on which all else depends."""
    (node,) = plan.channels
    for later in plan.program.rest:
        if later is not node and later.op == "call_module":
            neck = later.all_input_nodes[0]
            if isinstance(plan.program.modules[later.target], nn.Linear) and neck in plan.program.rest:
                tail = behind(plan.program.network, neck)
                if tail is not None:
                    return neck, tail
    return plan.program.rest[-1], None


def _growing_outputs(
    plan: Plan, node: fx.Node, source: Tensor, spans: Sequence[Span]
) -> Iterator[tuple[int, Tensor]]:
    layer, above = plan.program.modules[node.target], spans[-1][1]
    outputs = without(plan, layer, node, source, above)
    for position in range(len(spans) - 1, -1, -1):
        level = spans[position][1]
        _add(layer, outputs, source, plan.between(node, level, above))
        above = level
        yield position, outputs


def _lessened_outputs(
    plan: Plan, node: fx.Node, source: Tensor, spans: Sequence[Span]
) -> Iterator[tuple[int, Tensor]]:
    layer = plan.program.modules[node.target]
    whole = layer(source)
    for position, span in enumerate(spans):
        outputs = whole.clone()
        _add(layer, outputs, source, plan.between(node, *span), sign=-1)
        yield position, outputs


def without(plan: Plan, layer: nn.Module, node: fx.Node, source: Tensor, level: int) -> Tensor:
    """A dense layer's outputs from the channels that no step below `level` stops: never all of them."""
    axis = plan.program.axis(node)
    kept = np.setdiff1d(np.arange(source.shape[axis]), plan.between(node, 0, level))
    if len(kept):
        part, weight = _pick(source, axis, kept), _pick(layer.weight, 1, kept)
    else:  # the bias alone, in the shape of the outputs
        part, weight = torch.zeros_like(source.narrow(axis, 0, 1)), layer.weight.narrow(1, 0, 1)
    outputs = _contribution(layer, part, weight, layer.bias)
    last = source.ndim == 4 and not source.is_contiguous()
    return outputs.contiguous(memory_format=torch.channels_last) if last else outputs


def _contribution(layer: nn.Module, source: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(source, weight, bias)
    found: Tensor = layer._conv_forward(source, weight, bias)
    return found


def _pick(tensor: Tensor, axis: int, channels: Ints) -> Tensor:
    """Some channels: a view where they are one run, which keeps the layout and copies nothing."""
    first, count = int(channels[0]), len(channels)
    if int(channels[-1]) - first == count - 1:  # channels rise
        return tensor.narrow(axis, first, count)
    return tensor.index_select(axis, as_index(channels, tensor.device))


def _add(layer: nn.Module, outputs: Tensor, source: Tensor, channels: Ints, sign: int = 1) -> None:
    """Add what some input channels contribute to a dense layer's outputs, in place."""
    if len(channels):
        axis = -1 if isinstance(layer, nn.Linear) else 1
        part, weight = _pick(source, axis, channels), _pick(layer.weight, 1, channels)
        outputs.add_(_contribution(layer, part, weight, None), alpha=sign)


def quick_layout(plan: Plan, inputs: Tensor) -> Tensor:
    """Images with the channels last: convolutions and pools of that layout take a third of the time."""
    conv = any(isinstance(module, nn.Conv2d) for module in plan.program.modules.values())
    return inputs.contiguous(memory_format=torch.channels_last) if conv and inputs.ndim == 4 else inputs
