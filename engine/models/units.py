"""Which modules of a network have units, and how their weights become (units, fan_in) arrays."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from math import prod

import numpy as np
import torch
from prunescope.engine.store import LayerInfo
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

# Axis 0 of these modules' weights runs over the units. Transposed convolutions keep their units on
# axis 1, so a reshape along axis 0 would mix them; they are not listed.
UnitModule = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear
KINDS: dict[type[UnitModule], str] = {
    nn.Conv1d: "conv",
    nn.Conv2d: "conv",
    nn.Conv3d: "conv",
    nn.Linear: "linear",
}


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside `torch.compile` and (Distributed)DataParallel, whose layers keep their own names.

    Raises
    ------
    TypeError
        When it is no network.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: {type(model).__name__}, expected a torch.nn.Module.")
    while True:
        if (inner := model._modules.get("_orig_mod")) is not None:
            model = inner
        elif isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        else:
            return model


def unit_modules(model: nn.Module) -> dict[str, UnitModule]:
    """Module path → module, for every module with units, in the order of the network.

    A module used twice, or two modules that share one weight, appear once, under the first name.
    """
    found: dict[str, UnitModule] = {}
    seen: set[int] = set()
    for name, module in model.named_modules():
        if not isinstance(module, UnitModule):
            continue
        weight_id = id(_stored_weight(module))
        if weight_id not in seen:
            seen.add(weight_id)
            found[name] = module
    return found


def unit_layers(model: nn.Module, globs: Sequence[str] = ("*",)) -> list[LayerInfo]:
    """The layers with units whose path matches one of the patterns, in the order of the network.

    Works on any `nn.Module`: Conv1d/2d/3d and Linear at any depth, parametrised ones too.

    Raises
    ------
    ValueError
        When nothing matches, listing the layers there are; or for a lazy layer without a shape yet.
    """
    modules = unit_modules(model)
    chosen = [name for name in modules if any(fnmatchcase(name, glob) for glob in globs)]
    if not chosen:
        there = ", ".join(modules) or "none: it has no convolution and no linear layer"
        raise ValueError(f"layers: {list(globs)} match no layer of this network. Layers: {there}.")
    return [_describe(name, modules[name]) for name in chosen]


def state_arrays(model: nn.Module) -> dict[str, np.ndarray]:
    """Every tensor of the state dict as a NumPy copy, and `<layer>.weight` of every layer with units.

    The second matters where a weight is computed from others (parametrisations, pruning masks): the
    state dict then holds only what it is computed from. bfloat16, which NumPy lacks, becomes float32.
    """
    arrays = {
        name: _to_numpy(value)
        for name, value in model.state_dict().items()
        if isinstance(value, Tensor)  # A module's extra state can be anything.
    }
    for name, module in unit_modules(model).items():
        key = f"{name}.weight" if name else "weight"
        if key not in arrays:
            arrays[key] = _to_numpy(_weight(module))
    return arrays


def weight_vectors(model: nn.Module, layers: Sequence[LayerInfo]) -> dict[str, np.ndarray]:
    """Layer name → (units, fan_in) float32 copies of the current weights."""
    modules = unit_modules(model)
    return {
        layer.name: _to_numpy(_weight(modules[layer.name]))
        .astype(np.float32, copy=False)
        .reshape(layer.units, layer.fan_in)
        for layer in layers
    }


def _describe(name: str, module: UnitModule) -> LayerInfo:
    weight = _weight(module)
    if is_lazy(weight):
        raise ValueError(f"layers: {name} has no shape yet. Pass one batch through the network first.")
    kind = next(kind for base, kind in KINDS.items() if isinstance(module, base))
    return LayerInfo(
        name=name, kind=kind, units=weight.shape[0], fan_in=prod(weight.shape[1:]), shape=tuple(weight.shape)
    )


def _weight(module: UnitModule) -> Tensor:
    """The weight that the module computes with, read without changing anything."""
    parametrisations = getattr(module, "parametrizations", {})
    if "weight" in parametrisations:
        # In training mode, reading a spectral norm's weight moves its buffers on by a step.
        parts = list(parametrisations["weight"].modules())
        modes = [part.training for part in parts]
        parametrisations["weight"].eval()
        weight = module.weight
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
        return weight
    original, mask = module._parameters.get("weight_orig"), module._buffers.get("weight_mask")
    if original is not None and mask is not None:
        # torch.nn.utils.prune refreshes `weight` in the forward pass: after a step it is one step old.
        return original * mask
    return module.weight


def _stored_weight(module: UnitModule) -> object:
    """The tensor that tells two layers apart, without computing a parametrised weight."""
    parametrisations = getattr(module, "parametrizations", {})
    if "weight" in parametrisations:
        return parametrisations["weight"]
    # torch.nn.utils.prune keeps the trained weight here and a computed one under `weight`.
    original = module._parameters.get("weight_orig")
    return module.weight if original is None else original


@torch.no_grad()
def _to_numpy(value: Tensor) -> np.ndarray:
    value = value.detach()
    if value.dtype == torch.bfloat16:
        value = value.float()
    return value.to("cpu", copy=True).contiguous().numpy()
