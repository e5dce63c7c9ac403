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
from prunescope.engine.pruning.contributions import contributions, dense, in_channels_last
from prunescope.engine.pruning.passage import Passage
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
    columns = doubtful.any(0).nonzero()[:, 0]
    values, doubtful, targets = plan.program.before(inputs[columns]), doubtful[:, columns], targets[columns]
    if len(values) == 1:
        return _hits_in_pairs(plan, values, targets, spans, doubtful)
    counts = np.zeros(len(spans), dtype=np.int64)
    for position in doubtful.any(1).nonzero()[:, 0].tolist():
        hits = plan.program.after(values, plan.masks(*spans[position])).argmax(1) == targets
        counts[position] = int((hits & doubtful[position]).sum())
    return counts


def _hits_in_pairs(
    plan: Plan, values: Values, targets: Tensor, spans: Sequence[Span], wanted: Tensor
) -> Ints:
    """`slow_hits` for the wanted (n_spans, examples) only: one batch, each example under its own mask."""
    (node,) = plan.channels
    ((source, value),) = values.items()
    axis = plan.program.axis(node)
    levels = wanted.any(1).nonzero()[:, 0]
    stopped = torch.stack([plan.is_stopped(node, value.shape[axis], *spans[i]) for i in levels.tolist()])
    shape = [1] * value.ndim
    shape[0], shape[axis] = -1, stopped.shape[1]
    hits = torch.zeros(len(levels), dtype=torch.int64, device=value.device)
    for pairs in wanted[levels].nonzero().split(max(1, _STACK_BYTES // value[0].nbytes)):
        masks, examples = pairs.unbind(1)
        rows = value[examples].masked_fill(stopped[masks].view(shape), 0)
        correct = plan.program.after({source: rows}, {}).argmax(1) == targets[examples]
        hits.index_add_(0, masks, correct.long())
    counts = np.zeros(len(spans), dtype=np.int64)
    counts[levels.cpu().numpy()] = hits.cpu().numpy()
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


def build_up(plan: Plan, passage: Passage | None) -> Fast:
    """Margins at nested spans (0, k), the reader's outputs built from the largest k down to the smallest."""
    return _with_tail(plan, _growing_outputs, passage)


def leave_one_out(plan: Plan, passage: Passage | None) -> Fast:
    """Margins under spans that do not build on each other: each taken off the full network."""
    return _with_tail(plan, _lessened_outputs, passage)


# (plan, reader, its input, spans) -> (position of the span, the reader's outputs)
_Outputs = Callable[[Plan, fx.Node, Tensor, Sequence[Span]], Iterator[tuple[int, Tensor]]]


def _with_tail(plan: Plan, outputs_under: _Outputs, passage: Passage | None) -> Fast:
    """Run what follows the reader mask by mask in cache, and from the next linear layer on many at once."""
    (node,) = plan.channels
    to_neck, tail = _by_passage(plan, passage) if passage is not None else _by_graph(plan, node)

    def margins(
        _: Plan, values: Values, targets: Tensor, spans: Sequence[Span]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        source = values[node.all_input_nodes[0]]
        found: list[Tensor] = [targets] * len(spans)  # every entry is replaced below
        waiting: dict[int, Tensor] = {}
        at_once = 0
        for count, (position, outputs) in enumerate(outputs_under(plan, node, source, spans), start=1):
            value = to_neck(values, outputs)
            if tail is None:
                found[position] = margins_of(value, targets)
                continue
            shared = value.untyped_storage().data_ptr() == outputs.untyped_storage().data_ptr()
            waiting[position] = value.clone() if shared else value
            at_once = at_once or _masks_at_once(len(spans), value)
            if count == len(spans) or len(waiting) == at_once:
                logits = tail(torch.cat(list(waiting.values())))
                parts = margins_of(logits, targets.repeat(len(waiting))).split(len(targets))
                for at, part in zip(waiting, parts, strict=True):
                    found[at] = part
                waiting = {}
        yield torch.stack(found), torch.arange(len(targets), device=targets.device)

    return margins


def _masks_at_once(n_masks: int, value: Tensor) -> int:
    """How many masks to stack: enough rows, not too much memory, and no small rest at the end."""
    rows = max(1, min(_STACK_ROWS, _STACK_BYTES // value[0].nbytes))
    stacks = max(1, n_masks * len(value) // rows)
    return -(-n_masks // stacks)


# (values before the reader, its outputs) -> what examples of many masks are stacked as; stacked -> logits
_ToNeck = Callable[[Values, Tensor], Tensor]
_Tail = Callable[[Tensor], Tensor]


def _by_passage(plan: Plan, passage: Passage) -> tuple[_ToNeck, _Tail]:
    program = behind(plan.program.network, passage.end)
    if program is None:
        return _by_graph(plan, next(iter(plan.channels)))
    return (
        lambda _, outputs: passage.features(outputs),
        lambda stacked: program.after({passage.end: passage.linear(stacked)}, {}),
    )


def _by_graph(plan: Plan, node: fx.Node) -> tuple[_ToNeck, _Tail | None]:
    neck, program = _neck(plan)
    return (
        lambda values, outputs: plan.program.value(neck, {**values, node: outputs}, {}),
        None if program is None else lambda stacked: program.after({neck: stacked}, {}),
    )


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
    layer, top = plan.program.modules[node.target], spans[-1][1]
    outputs = without(plan, layer, node, source, top)
    add = contributions(layer, source, plan.program.axis(node), plan.channels[node])
    above = plan.offsets[node][top]
    for position in range(len(spans) - 1, -1, -1):
        level = plan.offsets[node][spans[position][1]]
        add(outputs, int(level), int(above), 1)
        above = level
        yield position, outputs


def _lessened_outputs(
    plan: Plan, node: fx.Node, source: Tensor, spans: Sequence[Span]
) -> Iterator[tuple[int, Tensor]]:
    layer = plan.program.modules[node.target]
    whole = in_channels_last(layer(source))
    add = contributions(layer, source, plan.program.axis(node), plan.channels[node])
    for position, span in enumerate(spans):
        outputs = whole.clone()
        low, high = plan.offsets[node][list(span)]
        add(outputs, int(low), int(high), -1)
        yield position, outputs


def without(plan: Plan, layer: nn.Module, node: fx.Node, source: Tensor, level: int) -> Tensor:
    """A dense layer's outputs from the channels that no step below `level` stops: never all of them."""
    axis = plan.program.axis(node)
    kept = np.setdiff1d(np.arange(source.shape[axis]), plan.between(node, 0, level))
    if len(kept):
        part, weight = pick(source, axis, kept), pick(layer.weight, 1, kept)
    else:  # the bias alone, in the shape of the outputs
        part, weight = torch.zeros_like(source.narrow(axis, 0, 1)), layer.weight.narrow(1, 0, 1)
    return in_channels_last(dense(layer, part, weight, layer.bias))


def pick(tensor: Tensor, axis: int, channels: Ints) -> Tensor:
    """Some channels, which rise: a view where they are one run, which keeps the layout and copies nothing."""
    if len(channels) and int(channels[-1]) - int(channels[0]) == len(channels) - 1:
        return tensor.narrow(axis, int(channels[0]), len(channels))
    return tensor.index_select(axis, as_index(channels, tensor.device))


def quick_layout(plan: Plan, inputs: Tensor) -> Tensor:
    """Images with the channels last: convolutions and pools of that layout take a third of the time."""
    conv = any(isinstance(module, nn.Conv2d) for module in plan.program.modules.values())
    return in_channels_last(inputs) if conv else inputs
