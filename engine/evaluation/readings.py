"""Questions about what a network's layers put out: low-rank swaps, activations, neural collapse.

Generators of ever better answers, as in ``questions``; arrays too large for a line of JSON go to a file.
"""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from prunescope.engine.evaluation.subject import CannotEvaluate, Subject, Subjects
from prunescope.engine.geometry import Correlations, activation_correlations, neural_collapse
from torch import nn

Answer = dict[str, Any]
# Enough values of k to see a knee in a figure, few enough to measure at once.
RANKS = 24
# Observations (examples × positions) that a correlation is taken over: its error is then below 0.01.
OBSERVATIONS = 20_000
BATCH = 256


def low_rank_swap(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Accuracy with one layer's weights replaced by their best approximation of rank k.

    For the values of k in ``ask["ranks"]``, or for many.
    """
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    # A copy, because its weights are replaced below, and other questions share the network.
    model = copy.deepcopy(subject.model)
    weight = _module(model, ask["layer"]).weight
    whole = weight.detach().reshape(len(weight), -1).to(torch.float64)
    if not bool(torch.isfinite(whole).all()):
        raise CannotEvaluate(
            f"{ask['layer']}: the weights hold values that are no numbers, so they have no rank. Look at an earlier "
            f"epoch."
        )
    left, values, right = torch.linalg.svd(whole, full_matrices=False)
    total = float(torch.linalg.norm(values))
    found: dict[int, int] = {}
    asked = sorted({min(int(k), len(values)) for k in ask.get("ranks") or levels(len(values))})
    for k in coarse_first(asked):
        weight.data = ((left[:, :k] * values[:k]) @ right[:k]).reshape(weight.shape).to(weight.dtype)
        found[k] = _correct(model, subject)
        done = sorted(found)
        yield {
            "k": done,
            "correct": [found[one] for one in done],
            "norm_ratio": [float(torch.linalg.norm(values[:one])) / total if total > 0 else 0.0 for one in done],
            "rank": len(values),
            "total": len(subject.targets),
            "whole": len(found) == len(asked),
        }


def correlations(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Pearson correlations of a layer's outputs, written as an array to ``ask["path"]``, which the dashboard chose."""
    found, observations = output_correlations(subjects, ask)
    np.save(ask["path"], found.matrix.astype(np.float32), allow_pickle=False)
    yield {"constant": np.flatnonzero(found.constant).tolist(), "observations": observations}


def output_correlations(subjects: Subjects, ask: dict[str, Any]) -> tuple[Correlations, int]:
    """Correlations of the outputs of ``ask["layer"]`` on training examples, and of how many observations."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    inputs, _ = subject.calibration
    outputs = _seen_by(subject.model, ask["layer"], inputs, incoming=False)
    positions = int(np.prod(outputs.shape[2:], dtype=int))
    some = outputs[: max(2, OBSERVATIONS // positions)]
    return activation_correlations(some), len(some) * positions


def collapse(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """NC1–NC4 of the last linear layer on training examples."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    linear = [name for name, module in subject.model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise CannotEvaluate("This network has no linear layer, so neural collapse is not defined for it.")
    inputs, targets = subject.calibration
    features = _seen_by(subject.model, linear[-1], inputs, incoming=True).reshape(len(inputs), -1)
    last = _module(subject.model, linear[-1])
    bias = None if last.bias is None else last.bias.detach().numpy()
    found = neural_collapse(features, targets.numpy(), last.weight.detach().numpy(), bias)
    told = {name: value if np.isfinite(value) else None for name, value in found._asdict().items()}
    yield told | {"layer": linear[-1], "examples": len(targets)}


def levels(rank: int) -> list[int]:
    """Values of k from 1 to ``rank``: all small ones, then ever wider apart."""
    spaced = np.geomspace(1, rank, RANKS) if rank > RANKS else np.arange(1, rank + 1)
    return sorted({round(float(k)) for k in spaced} | set(range(1, min(rank, 4) + 1)))


def coarse_first(values: list[int]) -> list[int]:
    """Ends first, then middles of what is left between: a curve that is whole from the start, and then refined."""
    order, gaps = [values[-1], values[0]], [(0, len(values) - 1)]
    while gaps:
        low, high = gaps.pop(0)
        if high - low > 1:
            middle = (low + high) // 2
            order.append(values[middle])
            gaps += [(low, middle), (middle, high)]
    return list(dict.fromkeys(order))


def _module(model: nn.Module, name: str) -> Any:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise CannotEvaluate(f"layer: the network has no {name!r}. Choose one of its recorded layers.") from None


def _correct(model: nn.Module, subject: Subject) -> int:
    with torch.no_grad():
        return sum(
            int((model(x).argmax(dim=1) == y).sum())
            for x, y in zip(subject.inputs.split(BATCH), subject.targets.split(BATCH), strict=True)
        )


def _seen_by(model: nn.Module, name: str, inputs: torch.Tensor, *, incoming: bool) -> np.ndarray:
    """What goes into or comes out of a module while the network looks at ``inputs``."""
    caught: list[torch.Tensor] = []
    module = _module(model, name)
    if incoming:
        handle = module.register_forward_pre_hook(lambda _, given: caught.append(given[0].detach()))
    else:
        handle = module.register_forward_hook(lambda _, __, out: caught.append(out.detach()))
    try:
        with torch.no_grad():
            for part in inputs.split(BATCH):
                model(part)
    finally:
        handle.remove()
    return torch.cat(caught).numpy()
