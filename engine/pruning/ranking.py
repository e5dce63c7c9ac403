"""Rank a layer's units by any criterion: those that need the model, data or gradients start here."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from prunescope.engine.pruning.criteria import Criterion, criterion_named
from prunescope.engine.pruning.curves import unit_ablation
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import Network, trace
from prunescope.engine.pruning.plan import Ints
from prunescope.engine.pruning.program import footprint, upto
from prunescope.engine.pruning.scores import Floats, order_by, rank_weights, unit_quantities
from prunescope.engine.pruning.walk import ELEMENTWISE
from torch import Tensor, fx, nn

_CHUNK_BYTES = 256 << 20
_ACTIVATIONS = {
    "relu",
    "relu6",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "leaky_relu",
    "elu",
    "hardswish",
    "softplus",
}
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def rank_units(
    model: nn.Module | Network,
    layer: str,
    criterion: str = "l2",
    inputs: Tensor | None = None,
    targets: Tensor | None = None,
    seed: int = 0,
    *,
    initial: np.ndarray | Tensor | None = None,
    n_clusters: int = 4,
) -> Ints:
    """Units of a layer in the order of removal, first removed first.

    Scores look at the layer itself; where its units are coupled with other layers' (a residual stream),
    those go along unasked.

    Parameters
    ----------
    model : not changed; evaluated in evaluation mode
    criterion : a name of `CRITERIA`
    inputs, targets : (examples, …), (examples,) class numbers, for the criteria that need them
    seed : of "random" and of the cluster starts
    initial : weights of the layer at initialisation, any shape with the units first, for "moved"
    n_clusters : for "center-angle" and "one-per-cluster"

    Returns
    -------
    (units,) int64; equal quantities by index

    Raises
    ------
    PruningError
        For an unknown layer or criterion, or when something the criterion needs is missing.
    """
    wanted = criterion_named(criterion)
    network = trace(model, None if inputs is None else inputs.ndim)
    weights = weight_vectors(network, layer)
    if wanted.weights_only:
        first = None if initial is None else torch.as_tensor(initial).detach().cpu().numpy()
        if first is not None:
            first = first.reshape(len(first), -1)
        return rank_weights(weights, wanted.name, initial=first, n_clusters=n_clusters, seed=seed)
    return order_by(model_quantities(network, layer, wanted, inputs, targets), wanted)


def model_quantities(
    network: Network, layer: str, criterion: Criterion, inputs: Tensor | None, targets: Tensor | None
) -> Floats:
    """(units,) the quantity of a criterion that needs the model, and perhaps data."""
    for name, given in (("inputs", inputs), ("targets", targets)):
        if name in criterion.needs and given is None:
            raise PruningError(f"criterion {criterion.name!r} needs {name}: pass examples of the task.")
    return _QUANTITIES[criterion.base](network, layer, inputs, targets)


def weight_vectors(network: Network, layer: str) -> np.ndarray:
    """(units, fan_in) float32 weights of a layer."""
    network.units(layer)
    weight = network.module.get_submodule(layer).weight
    return np.asarray(weight.detach().float().cpu().reshape(len(weight), -1))


def global_order(
    model: nn.Module | Network,
    layers: Sequence[str],
    criterion: str = "l2",
    inputs: Tensor | None = None,
    targets: Tensor | None = None,
    seed: int = 0,
    *,
    n_clusters: int = 4,
) -> list[tuple[str, int]]:
    """One order over several layers, for `global_curve`.

    Each unit is placed by its position in its own layer's order divided by the layer's size: at every
    level all layers have lost the same share, the last unit of each going at the very end. Quantities of
    different layers have different scales, so they are not compared; the exception is "lamp", made for
    that comparison.

    Returns
    -------
    (layer, unit), first removed first
    """
    network = trace(model, None if inputs is None else inputs.ndim)
    wanted = criterion_named(criterion)
    keyed: list[tuple[float, int, int, str, int]] = []
    for index, layer in enumerate(layers):
        order = rank_units(network, layer, criterion, inputs, targets, seed + index, n_clusters=n_clusters)
        share = (np.arange(len(order)) + 1) / len(order)
        if wanted.base == "lamp":
            lamp = unit_quantities(weight_vectors(network, layer), wanted)[order]
            share = np.where(share == 1, np.inf, lamp if wanted.first == "smallest" else -lamp)
        keyed += [(float(share[i]), index, i, layer, int(unit)) for i, unit in enumerate(order)]
    return [(layer, unit) for _, _, _, layer, unit in sorted(keyed)]


def _ablation(network: Network, layer: str, inputs: Tensor, targets: Tensor) -> Floats:
    found = unit_ablation(network, layer, inputs, targets)
    return (found.baseline - found.correct).astype(np.float64)


def _bn_scale(network: Network, layer: str, _: Tensor, __: Tensor) -> Floats:
    ids = network.roots(network.owners[layer])
    for name, channels in network.passing.items():
        module = network.module.get_submodule(name)
        roots = network.roots(channels)
        if isinstance(module, _NORMS) and module.affine and np.isin(ids, roots).all():
            place = {int(root): i for i, root in enumerate(roots)}
            at = [place[int(i)] for i in ids]
            return np.abs(module.weight.detach().double().cpu().numpy()[at])
    raise PruningError(f"criterion 'bn-scale': no BatchNorm stands behind {layer!r}. Use l2 there.")


def _taylor(network: Network, layer: str, inputs: Tensor, targets: Tensor) -> Floats:
    """|Σ w·∂loss/∂w| with the loss averaged over all examples."""
    module = network.module.get_submodule(layer)
    program = upto(network, None)
    weight = module.weight
    total = torch.zeros_like(weight, dtype=torch.float64)
    size = max(1, _CHUNK_BYTES // (4 * footprint(program, inputs).passing))
    weight.requires_grad_(True)
    try:
        for start in range(0, len(inputs), size):
            part = slice(start, start + size)
            with torch.enable_grad():
                logits = program.after(program.before(inputs[part].to(program.device)), {})
                loss = nn.functional.cross_entropy(logits, targets[part].to(program.device), reduction="sum")
                (gradient,) = torch.autograd.grad(loss, weight)
            total += gradient.double()
    finally:
        weight.requires_grad_(False)
    product = (weight.detach().double() * total / len(inputs)).reshape(len(weight), -1)
    return product.sum(1).abs().cpu().numpy()


def _activation(statistic: str) -> Callable[[Network, str, Tensor, Tensor], Floats]:
    def measure(network: Network, layer: str, inputs: Tensor, _: Tensor) -> Floats:
        return _moments(network, layer, inputs)[statistic]

    return measure


def _moments(network: Network, layer: str, inputs: Tensor) -> dict[str, Floats]:
    """Statistics of a unit's output, behind its BatchNorm and activation, over examples and positions."""
    node = _behind(network, layer)
    program = upto(network, node)
    size = max(1, _CHUNK_BYTES // footprint(program, inputs).passing)
    sums = dict.fromkeys(("mean", "l1", "square", "zeros"), 0.0)
    count = 0
    with torch.inference_mode():
        for start in range(0, len(inputs), size):
            value = program.before(inputs[start : start + size].to(program.device))[node]
            axis = -1 if isinstance(network.module.get_submodule(layer), nn.Linear) else 1
            flat = value.movedim(axis, 0).flatten(1).double()  # (units, examples × positions)
            count += flat.shape[1]
            for name, part in (("mean", flat), ("l1", flat.abs()), ("square", flat**2), ("zeros", flat == 0)):
                sums[name] = sums[name] + part.sum(1).cpu().numpy()
    means = {name: np.asarray(total) / count for name, total in sums.items()}
    means["std"] = np.sqrt(np.maximum(means["square"] - means["mean"] ** 2, 0))
    means["l2"] = np.sqrt(means["square"])
    return means


def _behind(network: Network, layer: str) -> fx.Node:
    """The node where a layer's units have passed their BatchNorm and activation."""
    node = next(n for n in network.module.graph.nodes if n.op == "call_module" and n.target == layer)
    while len(node.users) == 1:
        (user,) = node.users
        module = network.module.get_submodule(user.target) if user.op == "call_module" else None
        name = user.target if user.op == "call_method" else getattr(user.target, "__name__", "")
        if not isinstance(module, (*_NORMS, *ELEMENTWISE)) and name not in _ACTIVATIONS:
            break
        node = user
    return node


_QUANTITIES: dict[str, Callable[[Network, str, Tensor, Tensor], Floats]] = {
    "ablation": _ablation,
    "bn-scale": _bn_scale,
    "taylor": _taylor,
    **{f"activation-{name}": _activation(name) for name in ("mean", "std", "l1", "l2", "zeros")},
}
