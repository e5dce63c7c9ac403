"""Masks: the full-size network computing as if units were gone, and what to hand to others."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import Network, trace
from prunescope.engine.pruning.plan import make_plan
from prunescope.engine.pruning.removal import Units
from torch import Tensor, nn


@contextmanager
def mask_units(
    model: nn.Module,
    layer: str | Mapping[str, Units],
    removed: Units | None = None,
    *,
    input_shape: Sequence[int] | None = None,
) -> Iterator[dict[str, tuple[int, ...]]]:
    """Within the block the model computes as if units were removed; its weights stay as they are.

    The units' values are stopped where the next layers read them, behind BatchNorm and activation: nothing
    of them gets further, not even ReLU(bias) or sigmoid(0). The mode is the caller's; in evaluation mode
    the outputs are those of `remove_units`.

    Parameters
    ----------
    layer, removed : one layer and its units, or {layer: units} alone

    Yields
    ------
    layer -> units that are masked, the asked ones and those coupled with them

    Raises
    ------
    PruningError
        If a sum in the forward reads the units directly, where no hook can stand: use `masked`.
    """
    wanted = {layer: removed if removed is not None else ()} if isinstance(layer, str) else dict(layer)
    removal = _network(model, input_shape).removal({name: list(units) for name, units in wanted.items()})
    if any(node.op != "call_module" for node in removal.stops):
        raise PruningError("a sum in the forward reads these units, where no hook can stand: use masked().")
    handles = []
    try:
        for name, channels in removal.inputs.items():
            module = model.get_submodule(name)
            axis = -1 if isinstance(module, nn.Linear) else 1
            handles.append(module.register_forward_pre_hook(_stopper(torch.as_tensor(channels), axis)))
        yield removal.group
    finally:
        for handle in handles:
            handle.remove()


def _stopper(channels: Tensor, axis: int) -> Any:
    def stop(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (args[0].index_fill(axis, channels.to(args[0].device), 0), *args[1:])

    return stop


class Masked(nn.Module):
    """A frozen copy of a model that computes as if units were removed. Build it with `masked`."""

    def __init__(self, network: Network, removed: Mapping[str, Units]):
        super().__init__()
        order = [(layer, int(unit)) for layer, units in removed.items() for unit in units]
        for layer in removed:
            network.unit_ids(layer)
        plan = make_plan(network, order)
        self.graph_module = network.module
        self.group = plan.group
        self._program = plan.program
        self._masks = plan.masks(0, len(order))

    def forward(self, inputs: Tensor) -> Tensor:
        return self._program.after(self._program.before(inputs), self._masks)


def masked(
    model: nn.Module | Network, removed: Mapping[str, Units], *, input_shape: Sequence[int] | None = None
) -> Masked:
    """A full-size copy, in evaluation mode, that computes as if units were removed; any traceable model."""
    return Masked(_network(model, input_shape), removed)


def mask_json(
    model: nn.Module | Network, removed: Mapping[str, Units], *, input_shape: Sequence[int] | None = None
) -> dict[str, Any]:
    """The mask as plain JSON: which units go and which stay, layer by layer, coupled ones included.

    A mask makes nothing smaller or faster: the model keeps its size. `remove_units` makes it smaller.
    """
    network = _network(model, input_shape)
    group = network.removal({name: list(units) for name, units in removed.items()}).group
    layers = {}
    for name, gone in group.items():
        kept = sorted(set(range(network.units(name))) - set(gone))
        layers[name] = {"units": network.units(name), "removed": list(gone), "kept": kept}
    return {
        "format": "prunescope-mask",
        "version": 1,
        "note": "A mask shrinks nothing: the model keeps its size and its speed.",
        "asked": {name: sorted(int(u) for u in units) for name, units in removed.items()},
        "layers": layers,
    }


def mask_state_dict(
    model: nn.Module, removed: Mapping[str, Units], *, input_shape: Sequence[int] | None = None
) -> dict[str, Tensor]:
    """The state dict that torch.nn.utils.prune would save: `weight_orig` and `weight_mask` for pruned ones.

    Masked are the units' weights and biases, their BatchNorm entries, and the weights by which the next
    layers read them, so that nothing of a unit gets through whatever the activation. To load it, call
    `torch.nn.utils.prune.identity(module, name)` on a fresh model for each `<module>.<name>_mask` first.
    A mask shrinks nothing: the model keeps its size and its speed.

    Raises
    ------
    PruningError
        If a sum in the forward reads the units directly: no weight stands there to be masked.
    """
    removal = _network(model, input_shape).removal({name: list(units) for name, units in removed.items()})
    if any(node.op != "call_module" for node in removal.stops):
        raise PruningError("a sum in the forward reads these units: no weight stands there to be masked.")
    masks: dict[str, Tensor] = {}

    def hide(name: str, axis: int, channels: Any) -> None:
        tensor = state.get(name)
        if tensor is not None:
            mask = masks.setdefault(name, torch.ones_like(tensor))
            mask.index_fill_(axis, torch.as_tensor(channels, device=tensor.device), 0)

    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    for layer, units in {**removal.outputs, **removal.passing}.items():
        hide(f"{layer}.weight", 0, units)
        hide(f"{layer}.bias", 0, units)
    for layer, channels in removal.inputs.items():
        hide(f"{layer}.weight", 1, channels)
    for name, mask in masks.items():
        state[f"{name}_orig"] = state.pop(name)
        state[f"{name}_mask"] = mask
    return state


def save_mask(
    model: nn.Module,
    removed: Mapping[str, Units],
    path: str | Path,
    *,
    input_shape: Sequence[int] | None = None,
) -> Path:
    """Write a mask: JSON for a path ending in .json, torch.nn.utils.prune's state dict for .pt.

    A mask shrinks nothing: the model keeps its size and its speed. `remove_units` makes it smaller.

    Raises
    ------
    PruningError
        For another ending, or units that cannot be masked.
    """
    target = Path(path)
    if target.suffix == ".json":
        text = json.dumps(mask_json(model, removed, input_shape=input_shape), indent=1)
        target.write_text(text + "\n", encoding="utf-8")
    elif target.suffix == ".pt":
        torch.save(mask_state_dict(model, removed, input_shape=input_shape), target)
    else:
        raise PruningError(f"path {target.name!r}: end it in .json (units) or .pt (torch state dict).")
    return target


def _network(model: nn.Module | Network, input_shape: Sequence[int] | None) -> Network:
    return trace(model, None if input_shape is None else len(input_shape) + 1)
