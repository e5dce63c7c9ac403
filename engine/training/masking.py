"""Masks on the parameters of a network in training: from units to parameters, and held at zero.

A removed unit must give the next layer nothing: its weights and bias are zero, and so are scale and
shift of the BatchNorm behind it. Every activation of the networks here maps 0 to 0.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from prunescope.engine.experiments.masks import Mask, prune, unit_scores, weight_scores
from prunescope.engine.models import unit_modules
from torch import Tensor, nn

if TYPE_CHECKING:
    from prunescope.engine.training.job import Job

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def norm_behind(model: nn.Module) -> dict[str, str]:
    """Layer → the BatchNorm that reads it and nothing else, for every layer that has one.

    Raises
    ------
    ValueError
        If the network normalises and its forward cannot be followed.
    """
    modules = dict(model.named_modules())
    if not any(isinstance(module, _NORMS) for module in modules.values()):
        return {}
    try:
        graph = torch.fx.symbolic_trace(model).graph
    except Exception as error:
        raise ValueError(
            f"units cannot be removed from this network: its forward cannot be followed ({error}). "
            'Remove weights instead: structure = "weights".'
        ) from error
    layers = unit_modules(model)
    behind: dict[str, str] = {}
    for node in graph.nodes:
        if node.op == "call_module" and node.target in layers:
            readers = list(node.users)
            if len(readers) == 1 and readers[0].op == "call_module":
                name = str(readers[0].target)
                if isinstance(modules[name], _NORMS):
                    behind[node.target] = name
    return behind


def parameter_masks(model: nn.Module, masks: Mapping[str, Mask], structure: str) -> dict[str, Mask]:
    """Layer masks as masks of parameters, by parameter name.

    Parameters
    ----------
    masks : layer → (units,) for "units", the weight's shape for "weights"
    """
    if structure == "weights":
        return {f"{layer}.weight": mask for layer, mask in masks.items()}
    parameters = dict(model.named_parameters())
    behind = norm_behind(model)
    found: dict[str, Mask] = {}
    for layer, mask in masks.items():
        norm = behind.get(layer)
        for name in (f"{layer}.weight", f"{layer}.bias", *([f"{norm}.weight", f"{norm}.bias"] if norm else [])):
            if name in parameters:
                shape = tuple(parameters[name].shape)
                wide = mask.reshape(-1, *[1] * (len(shape) - 1))
                found[name] = np.broadcast_to(wide, shape).copy()
    return found


def layer_masks(model: nn.Module, masks: Mapping[str, Mask], structure: str) -> dict[str, Mask]:
    """Inverse of `parameter_masks` for every layer with units; one without a mask is whole."""
    found = {}
    for layer, module in unit_modules(model).items():
        mask = masks.get(f"{layer}.weight")
        if mask is None:
            mask = np.ones(tuple(module.weight.shape), bool)
        found[layer] = mask.reshape(len(mask), -1).any(axis=1) if structure == "units" else np.asarray(mask)
    return found


def scores_of(
    weights: Mapping[str, NDArray[np.floating]], structure: str, norm: str = "l2"
) -> dict[str, NDArray[np.floating]]:
    """Layer → scores, given layer → weight tensor."""
    if structure == "weights":
        return {layer: weight_scores(weight) for layer, weight in weights.items()}
    return {layer: unit_scores(weight, norm) for layer, weight in weights.items()}


def set_masks(job: "Job", masks: Mapping[str, Tensor]) -> None:
    """Put masks on the job's parameters and hold them from now on.

    Raises
    ------
    ValueError
        For a parameter that the network does not have, or of another shape.
    """
    parameters = dict(job.model.named_parameters())
    for name, mask in masks.items():
        if name not in parameters or parameters[name].shape != mask.shape:
            there = tuple(parameters[name].shape) if name in parameters else "none"
            raise ValueError(f"mask {name}: shape {tuple(mask.shape)}, and the network has {there}.")
    job.masks = {name: mask.to(job.device, torch.bool) for name, mask in masks.items()}
    job.held = [parameters[name].data for name in job.masks]
    job.factors = [mask.to(parameters[name].dtype) for name, mask in job.masks.items()]
    hold(job)


def hold(job: "Job") -> None:
    """Bring removed weights back to zero; optimisers move them, for their inputs still have gradients."""
    if job.factors:
        torch._foreach_mul_(job.held, job.factors)


def prune_if_due(job: "Job") -> None:
    """Remove what the job's start asked for by this step; doing it twice changes nothing."""
    due = [pruning for pruning in job.prunings if pruning.step <= job.step]
    if not due:
        return
    pruning = due[-1]
    modules = unit_modules(job.model)
    old = {name: mask.cpu().numpy() for name, mask in job.masks.items()}
    now = layer_masks(job.model, old, pruning.structure)
    weights = {layer: modules[layer].weight.detach().cpu().numpy() for layer in pruning.removed}
    scores = scores_of(weights, pruning.structure)
    changed = {}
    for index, (layer, total) in enumerate(pruning.removed.items()):
        missing = total - int((~now[layer]).sum())
        if missing > 0:
            changed[layer] = prune(scores[layer], now[layer], missing, pruning.select, pruning.seed + index)
    if changed:
        new = old | parameter_masks(job.model, changed, pruning.structure)
        set_masks(job, {name: torch.from_numpy(mask) for name, mask in new.items()})
