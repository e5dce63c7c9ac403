"""Rank a layer's units by any criterion: those that need the model, data or gradients start here."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from prunescope.engine.pruning.criteria import Criterion, criterion_named
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import Network, trace
from prunescope.engine.pruning.on_data import NORMS, Quantities, stream_quantities
from prunescope.engine.pruning.plan import Ints
from prunescope.engine.pruning.scores import Floats, order_by, rank_weights, unit_quantities
from torch import Tensor, nn


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
    known: Quantities | None = None,
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
    known : what `stream_quantities` has measured on examples already; the rest is measured here

    Returns
    -------
    (units,) int64; equal quantities by index

    Raises
    ------
    PruningError
        For an unknown layer or criterion, or when something the criterion needs is missing.
    """
    wanted = criterion_named(criterion)
    if known and (wanted.base, layer) in known:
        return order_by(known[wanted.base, layer], wanted)
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
    if criterion.base == "bn-scale":
        return _bn_scale(network, layer)
    data = cast(Tensor, inputs), cast(Tensor, targets)
    *_, found = stream_quantities(network, criterion.base, [layer], *data)
    return found.quantities[criterion.base, layer]


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
    known: Quantities | None = None,
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
        order = rank_units(network, layer, criterion, inputs, targets, seed + index, n_clusters=n_clusters, known=known)
        share = (np.arange(len(order)) + 1) / len(order)
        if wanted.base == "lamp":
            lamp = unit_quantities(weight_vectors(network, layer), wanted)[order]
            share = np.where(share == 1, np.inf, lamp if wanted.first == "smallest" else -lamp)
        keyed += [(float(share[i]), index, i, layer, int(unit)) for i, unit in enumerate(order)]
    return [(layer, unit) for _, _, _, layer, unit in sorted(keyed)]


def _bn_scale(network: Network, layer: str) -> Floats:
    ids = network.roots(network.owners[layer])
    for name, channels in network.passing.items():
        module = network.module.get_submodule(name)
        roots = network.roots(channels)
        if isinstance(module, NORMS) and module.affine and np.isin(ids, roots).all():
            place = {int(root): i for i, root in enumerate(roots)}
            at = [place[int(i)] for i in ids]
            return np.abs(module.weight.detach().double().cpu().numpy()[at])
    raise PruningError(f"criterion 'bn-scale': no BatchNorm stands behind {layer!r}. Use l2 there.")
