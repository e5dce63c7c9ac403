"""What is left of a network under unit masks: inputs still fed, weights and multiply-adds still used."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from prunescope.engine.experiments.masks import Mask
from prunescope.engine.models import unit_modules
from torch import Tensor, nn


class LiveLayer(NamedTuple):
    """One layer; `inputs` counts weights of one unit, so a conv filter of c channels has c · k² of them.

    `positions` is how often a filter is applied, `kernel` the entries of one channel of it.
    """

    inputs: int
    live_inputs: int
    units: int
    live_units: int
    positions: int
    kernel: int

    @property
    def weights(self) -> int:
        return self.inputs * self.units

    @property
    def live_weights(self) -> int:
        return self.live_inputs * self.live_units


@torch.no_grad()
def live_layers(model: nn.Module, input_shape: Sequence[int], masks: Mapping[str, Mask]) -> dict[str, LiveLayer]:
    """Layer → what of it is still connected to the input when units are removed.

    Ones flow through a copy whose weights are all positive and average their inputs, so a value is zero
    exactly where everything that feeds it is gone; pooling, sums and reshapes need no rule of their own.

    Parameters
    ----------
    masks : layer → (units,) True where kept; layers not named are whole
    """
    flowing = copy.deepcopy(model).eval()
    modules = unit_modules(flowing)
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    for module in flowing.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.reset_parameters()
    handles = []
    for name, module in modules.items():
        fan_in = module.weight[0].numel()
        alive = torch.as_tensor(masks.get(name, np.ones(len(module.weight), bool)))
        module.weight.copy_(alive.view(-1, *[1] * (module.weight.ndim - 1)) / fan_in)
        if module.bias is not None:
            module.bias.zero_()

        def note(_: nn.Module, args: Any, output: Tensor, name: str = name) -> None:
            seen[name] = args[0], output

        handles.append(module.register_forward_hook(note))
    flowing(torch.ones(2, *input_shape))
    for handle in handles:
        handle.remove()
    return {name: _count(modules[name], *seen[name], masks.get(name)) for name in modules if name in seen}


def _count(module: nn.Module, inputs: Tensor, outputs: Tensor, mask: Mask | None) -> LiveLayer:
    weight: Any = module.weight
    units, fan_in = weight.shape[0], weight[0].numel()
    live_units = units if mask is None else int(mask.sum())
    if isinstance(module, nn.Linear):
        features = inputs.reshape(-1, inputs.shape[-1])
        return LiveLayer(fan_in, int((features != 0).any(0).sum()), units, live_units, 1, 1)
    channels = int((inputs != 0).flatten(2).any(2).any(0).sum())
    per_channel = fan_in // weight.shape[1]
    return LiveLayer(fan_in, channels * per_channel, units, live_units, outputs[0, 0].numel(), per_channel)


def macs(layers: Mapping[str, LiveLayer]) -> tuple[int, int]:
    """Multiply-adds of one example: left, and before; Li et al. 2016: n_{i+1}·n_i·k²·h·w."""
    left = sum(layer.live_weights * layer.positions for layer in layers.values())
    return left, sum(layer.weights * layer.positions for layer in layers.values())
