"""The fast curve where only linear layers and activations follow the reader: features × examples, in cache.

Removing a unit changes the reader's outputs by one outer product, so a level costs one multiply-add an
output, one activation, and the small matrix products behind. All of them run on a strip of examples whose
values stay in a core's cache over all levels. Transposed, every row is contiguous in the examples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from prunescope.engine.pruning.counting import Span, without
from prunescope.engine.pruning.plan import Plan
from prunescope.engine.pruning.program import Values, as_index
from prunescope.engine.pruning.walk import ELEMENTWISE
from torch import Tensor, fx, nn

# One strip of outputs (features × examples) and its activations share a core's second-level cache.
_STRIP_BYTES = 800_000
_ON_GPU = 1 << 28

Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Chain:
    """What follows the reader, as functions of (features, examples)."""

    steps: tuple[Step, ...]


def chain_after(plan: Plan) -> Chain | None:
    """The steps behind a plan's only reader if all work feature by feature or are linear, else None."""
    (node,) = plan.channels
    modules = plan.program.modules
    if not isinstance(modules[node.target], nn.Linear) or plan.program.live != {node.all_input_nodes[0]}:
        return None
    steps: list[Step] = []
    at = node
    while True:
        users = list(at.users)
        if len(users) != 1 or users[0].all_input_nodes != [at]:
            return None
        at = users[0]
        if at.op == "output":
            return Chain(tuple(steps))
        step = _step(at, modules[at.target] if at.op == "call_module" else None)
        if step is None:
            return None
        steps.extend(step)


def _step(node: fx.Node, module: nn.Module | None) -> list[Step] | None:
    if isinstance(module, nn.Linear):
        return [_linear(module)]
    if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
        return [_batch_norm(module)]
    if isinstance(module, nn.Dropout):
        return []
    if isinstance(module, nn.ReLU) or node.target in (torch.relu, nn.functional.relu, "relu"):
        return [torch.relu]
    return [module] if isinstance(module, ELEMENTWISE) else None


def _linear(module: nn.Linear) -> Step:
    weight = module.weight.contiguous()
    if module.bias is None:
        return lambda x: weight @ x
    bias = module.bias[:, None]
    return lambda x: (weight @ x).add_(bias)


def _batch_norm(module: nn.BatchNorm1d) -> Step:
    mean, variance = torch.as_tensor(module.running_mean), torch.as_tensor(module.running_var)
    scale = torch.rsqrt(variance + module.eps)
    if module.weight is not None:
        scale = scale * module.weight
    shift = -mean * scale
    if module.bias is not None:
        shift = shift + module.bias
    scale, shift = scale[:, None], shift[:, None]
    return lambda x: torch.addcmul(shift, x, scale)


def build_up_transposed(chain: Chain) -> Callable[[Plan, Values, Tensor, Sequence[Span]], Tensor]:
    """Margins at nested spans (0, k), built from the largest k down to the smallest."""

    def margins(plan: Plan, values: Values, targets: Tensor, spans: Sequence[Span]) -> Tensor:
        (node,) = plan.channels
        layer, source = plan.program.modules[node.target], values[node.all_input_nodes[0]]
        device, top = source.device, spans[-1][1]
        # Rows in the order in which they come back, so that a level reads a slice.
        back = [plan.channels[node][step] for step in range(top - 1, -1, -1)]
        ends = np.concatenate([[0], np.cumsum([len(b) for b in back])])
        columns = as_index(np.concatenate(back) if back else np.zeros(0, dtype=np.int64), device)
        rows = source.T.index_select(0, columns)
        weight = layer.weight.T.index_select(0, columns)
        empty = without(plan, layer, node, source, top).T
        cuts = [int(ends[top - span[1]]) for span in spans]  # rows present at each span
        out = torch.empty(len(spans), len(targets), dtype=source.dtype, device=device)
        width = _strip(empty)
        for start in range(0, len(targets), width):
            strip = slice(start, start + width)
            outputs = empty[:, strip].contiguous()
            _strip_margins(chain, outputs, rows[:, strip], weight, cuts, targets[strip], out[:, strip])
        return out

    return margins


def _strip(outputs: Tensor) -> int:
    budget = _ON_GPU if outputs.device.type == "cuda" else _STRIP_BYTES
    return max(64, budget // (outputs.shape[0] * outputs.element_size()))


def _strip_margins(
    chain: Chain,
    outputs: Tensor,  # (features, examples), overwritten
    rows: Tensor,  # (channels coming back, examples)
    weight: Tensor,  # (channels coming back, features)
    cuts: Sequence[int],
    targets: Tensor,
    margins: Tensor,  # (n_spans, examples), written
) -> None:
    own = targets[None]
    below = cuts[-1]
    for position in range(len(cuts) - 1, -1, -1):
        here = cuts[position]
        if here - below == 1:
            outputs.addcmul_(weight[below, :, None], rows[below])
        elif here > below:
            outputs.addmm_(weight[below:here].T, rows[below:here])
        below = here
        value = outputs
        for step in chain.steps:
            value = step(value)
        value = value.clone() if value is outputs else value
        mine = value.gather(0, own)
        value.scatter_(0, own, -torch.inf)
        torch.sub(mine[0], value.amax(0), out=margins[position])
