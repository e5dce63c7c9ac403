"""What follows the reader, where only linear layers and activations do: functions on features × examples."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from prunescope.engine.pruning.plan import Plan
from prunescope.engine.pruning.walk import ELEMENTWISE
from torch import Tensor, fx, nn

Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What follows the reader, as functions of (features, examples).

    Attributes
    ----------
    steps : all but the last linear layer
    weight, bias : (classes, features), (classes,) of the last layer
    relu : the steps are one ReLU, or nothing: no output moves further than what is added to it
    """

    steps: tuple[Step, ...]
    weight: Tensor
    bias: Tensor
    relu: bool


def chain_after(plan: Plan) -> Chain | None:
    """The steps behind a plan's only reader if all work feature by feature or are linear, else None."""
    (node,) = plan.channels
    modules = plan.program.modules
    if not isinstance(modules[node.target], nn.Linear) or plan.program.live != {node.all_input_nodes[0]}:
        return None
    steps: list[Step] = []
    last: nn.Linear | None = None
    at = node
    while True:
        users = list(at.users)
        if len(users) != 1 or users[0].all_input_nodes != [at]:
            return None
        at = users[0]
        if at.op == "output":
            break
        module = modules[at.target] if at.op == "call_module" else None
        if isinstance(module, nn.Linear):
            if last is not None:
                steps.append(_linear(last))
            last = module
            continue
        if last is not None:  # something follows a linear layer: that one was not the last
            steps.append(_linear(last))
            last = None
        step = _step(at, module)
        if step is None:
            return None
        steps.extend(step)
    if last is None:
        return None
    bias = last.bias if last.bias is not None else last.weight.new_zeros(last.out_features)
    only_relu = not steps or steps == [torch.relu]
    return Chain(steps=tuple(steps), weight=last.weight, bias=bias, relu=only_relu)


def _step(node: fx.Node, module: nn.Module | None) -> list[Step] | None:
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
