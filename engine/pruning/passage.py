"""From a convolution's outputs to the linear layer behind, in the layout and the order that cost least.

What stands between is channelwise: BatchNorm, activations, pools. Values stay with the channels last, where
a pool takes a tenth of the time; a ReLU waits for the max-pool behind it, which leaves it a quarter of the
values and, max and ReLU both being monotone, changes none; and the features are read in the order in which
they lie, by a linear layer whose weights were put into that order once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from prunescope.engine.pruning.plan import Plan
from prunescope.engine.pruning.walk import ELEMENTWISE
from torch import Tensor, fx, nn

Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Passage:
    """The way from the reader to a linear layer.

    Attributes
    ----------
    end : the linear layer's node
    steps : on (examples, channels, height, width)
    weight, bias : (outputs, features) with the channels last, (outputs,)
    """

    end: fx.Node
    steps: tuple[Step, ...]
    weight: Tensor
    bias: Tensor | None

    def features(self, outputs: Tensor) -> Tensor:
        """(examples, features) from the reader's outputs, which stay as they are."""
        for step in self.steps:
            outputs = step(outputs)
        return outputs.permute(0, 2, 3, 1).flatten(1)

    def linear(self, features: Tensor) -> Tensor:
        """(examples, outputs) of the linear layer."""
        return nn.functional.linear(features, self.weight, self.bias)


def passage_after(plan: Plan, shapes: dict[fx.Node, torch.Size]) -> Passage | None:
    """The passage behind a plan's only reader, a 2-d convolution, if nothing else is on the way."""
    (at,) = plan.channels
    modules = plan.program.modules
    steps: list[Step] = []
    while True:
        before, users = at, list(at.users)
        if len(users) != 1 or users[0].all_input_nodes != [before]:
            return None
        at = users[0]
        module = modules[at.target] if at.op == "call_module" else None
        if _flattens(at, module):
            break
        if isinstance(module, nn.ReLU) or at.target in (torch.relu, nn.functional.relu, "relu"):
            steps.append(torch.relu)
        elif isinstance(module, nn.MaxPool2d):
            pool = _halved if _halves(module) else module
            early = steps.pop() if steps and steps[-1] is torch.relu else None
            steps += [pool] if early is None else [pool, torch.relu]
        elif isinstance(module, (nn.BatchNorm2d, nn.AvgPool2d, *ELEMENTWISE)):
            steps.append(module)
        else:
            return None
    end = next(iter(at.users), None)
    layer = modules.get(end.target) if end is not None and end.op == "call_module" else None
    if len(at.users) != 1 or not isinstance(layer, nn.Linear):
        return None
    channels, *size = shapes[before]
    weight = layer.weight.view(len(layer.weight), channels, *size).permute(0, 2, 3, 1).flatten(1)
    return Passage(end=end, steps=tuple(steps), weight=weight.contiguous(), bias=layer.bias)


def _flattens(node: fx.Node, module: nn.Module | None) -> bool:
    if isinstance(module, nn.Flatten):
        return (module.start_dim, module.end_dim) == (1, -1)
    return node.target in (torch.flatten, "flatten") and node.args[1:] == (1,) and not node.kwargs


def _halves(pool: nn.MaxPool2d) -> bool:
    plain = (pool.padding in (0, (0, 0)), pool.dilation in (1, (1, 1)), not pool.ceil_mode)
    return all(plain) and pool.kernel_size in (2, (2, 2)) and pool.stride in (2, (2, 2))


def _halved(maps: Tensor) -> Tensor:
    """A 2 × 2 max-pool, twice as fast as torch's, which also looks for the places of the maxima."""
    height, width = maps.shape[2] // 2 * 2, maps.shape[3] // 2 * 2
    rows = torch.maximum(maps[:, :, 0:height:2, :width], maps[:, :, 1:height:2, :width])
    return torch.maximum(rows[:, :, :, 0::2], rows[:, :, :, 1::2])
