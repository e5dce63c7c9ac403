"""Remove units physically: a smaller network that computes what the masked one computes."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import CONVS, Network, Removal, trace
from prunescope.engine.pruning.plan import Ints
from torch import Tensor, nn

Units = Sequence[int] | Ints


def remove_units(
    model: nn.Module, layer: str, units: Units, *, input_shape: Sequence[int] | None = None
) -> nn.Module:
    """A copy of the model without some units of a layer; see `remove`."""
    return remove(model, {layer: units}, input_shape=input_shape)


def remove(
    model: nn.Module, removed: Mapping[str, Units], *, input_shape: Sequence[int] | None = None
) -> nn.Module:
    """A physically smaller copy of a model: {layer: units} are gone, with all that belonged to them.

    Gone with a unit are its weights and bias, its entry in a BatchNorm (or PReLU, or depthwise
    convolution) behind it, and the weights by which the next layers read it. Where units of several layers
    are summed (a residual stream), position by position, they form one coupled group and go together;
    `group_of` lists it. In evaluation mode the result gives the masked model's logits.

    Parameters
    ----------
    model : keeps its weights and mode; the copy is in the same mode
    removed : layer -> units
    input_shape : shape of one example; only networks whose linear layers read more than (examples,
        features), such as XORD's, need it to be understood

    Raises
    ------
    PruningError
        If a layer would be left without units, or the architecture cannot lose single channels there
        (grouped convolutions, a reshape to a fixed number): such units can be masked, not deleted.
    """
    network = trace(model, None if input_shape is None else len(input_shape) + 1)
    removal = network.removal({layer: list(units) for layer, units in removed.items()})
    _check(network, removal)
    smaller = copy.deepcopy(model)
    for name, module in smaller.named_modules():
        inputs, outputs = removal.inputs.get(name), removal.outputs.get(name)
        if name in removal.passing:
            _shrink_entries(module, removal.passing[name])
        elif isinstance(module, (nn.Linear, *CONVS)) and (inputs is not None or outputs is not None):
            _shrink_dense(module, inputs, outputs)
    return smaller


def group_of(
    model: nn.Module | Network, removed: Mapping[str, Units], *, input_shape: Sequence[int] | None = None
) -> dict[str, tuple[int, ...]]:
    """Every unit that goes when these go: layer -> units, the asked ones included."""
    network = trace(model, None if input_shape is None else len(input_shape) + 1)
    return network.removal({layer: list(units) for layer, units in removed.items()}).group


def _check(network: Network, removal: Removal) -> None:
    if removal.rigid:
        raise PruningError(
            f"these units can be masked but not deleted: {'; '.join(removal.rigid)}. Read their accuracy "
            "from a curve, or choose units of another layer."
        )
    for name, gone in removal.outputs.items():
        if len(gone) == network.units(name):
            raise PruningError(
                f"layer {name!r} would be left without units: all {len(gone)} are to go. Keep one or more."
            )


def _kept(size: int, gone: Ints | None, like: Tensor) -> Tensor:
    kept = np.setdiff1d(np.arange(size), gone if gone is not None else [])
    return torch.as_tensor(kept, dtype=torch.int64, device=like.device)


def _cut(module: nn.Module, name: str, kept: Tensor, axis: int) -> None:
    """Keep some entries of a parameter or buffer along one axis."""
    tensor = getattr(module, name, None)
    if tensor is None:
        return
    smaller = tensor.detach().index_select(axis, kept).clone()
    if isinstance(tensor, nn.Parameter):
        setattr(module, name, nn.Parameter(smaller, requires_grad=tensor.requires_grad))
    else:
        setattr(module, name, smaller)


def _shrink_dense(module: nn.Module, inputs: Ints | None, outputs: Ints | None) -> None:
    weight = module.weight
    out_kept, in_kept = _kept(weight.shape[0], outputs, weight), _kept(weight.shape[1], inputs, weight)
    _cut(module, "weight", out_kept, 0)
    _cut(module, "weight", in_kept, 1)
    _cut(module, "bias", out_kept, 0)
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = len(out_kept), len(in_kept)
    else:
        module.out_channels, module.in_channels = len(out_kept), len(in_kept)


def _shrink_entries(module: nn.Module, gone: Ints) -> None:
    """BatchNorm, PReLU, depthwise convolution: one entry a channel."""
    if isinstance(module, CONVS):
        kept = _kept(module.out_channels, gone, module.weight)
        times = module.out_channels // module.groups
        _cut(module, "weight", kept, 0)
        _cut(module, "bias", kept, 0)
        module.out_channels = len(kept)
        module.in_channels = module.groups = len(kept) // times
    elif isinstance(module, nn.PReLU):
        _cut(module, "weight", _kept(module.num_parameters, gone, module.weight), 0)
        module.num_parameters = len(module.weight)
    else:
        entry = module.weight if module.weight is not None else module.running_mean
        kept = _kept(module.num_features, gone, entry if entry is not None else torch.zeros(0))
        for name in ("weight", "bias", "running_mean", "running_var"):
            _cut(module, name, kept, 0)
        module.num_features = len(kept)
