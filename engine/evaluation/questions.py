"""The questions of the pruning page, each a generator of ever better answers (plain JSON).

A generator yields often, so that a newer question can take its place, and the last thing that it
yields is exact unless it says otherwise.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from prunescope.engine.evaluation.embedding import embed
from prunescope.engine.evaluation.readings import collapse, correlations, low_rank_swap
from prunescope.engine.evaluation.subject import Subject, Subjects
from prunescope.engine.pruning import (
    PartialCurve,
    PruningError,
    accuracy_of,
    global_order,
    mask_json,
    mask_state_dict,
    rank_units,
    remove,
    stream_ablation,
    stream_curve,
    stream_global_curve,
    summary,
)

Answer = dict[str, Any]
RANDOM_ROUNDS = 5
# Enough examples for a first answer within ± 6 points, few enough to be there at once.
FIRST_EXAMPLES = 256
SURFACE_LEVELS = 24
GLOBAL_LEVELS = 48
SIZE_LEVELS = 12
LATENCY_RUNS = 9
SURFACE_EXAMPLES = 1000


def order_of(subject: Subject, layer: str, criterion: str, seed: int = 0) -> np.ndarray:
    """Units of a layer, first removed first; criteria that look at data see training examples only."""
    inputs, targets = subject.calibration
    return rank_units(
        subject.network,
        layer,
        criterion,
        inputs,
        targets,
        seed,
        initial=subject.initial.get(f"{layer}.weight"),
    )


def curves(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Accuracy at every level for each criterion, and for random orders; the main criterion first.

    With several ``layers`` they are pruned together, each by the same share, at 49 levels.
    """
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    layers = ask["layers"]
    wanted = [(criterion, 0) for criterion in ask["criteria"]]
    wanted += [("random", seed) for seed in range(RANDOM_ROUNDS)]
    running = {key: _curve_of(subject, layers, *key) for key in wanted}
    # In turns: every line gets its first answer before any is refined, so that the picture is whole at once.
    while running:
        for key in wanted:
            answer = next(running[key], None) if key in running else None
            if answer is None:
                running.pop(key, None)
            elif answer.get("tick"):
                yield answer
            else:
                yield answer | {"criterion": key[0], "seed": key[1]}


def _curve_of(subject: Subject, layers: list[str], criterion: str, seed: int) -> Iterator[Answer]:
    if len(layers) == 1:
        order = order_of(subject, layers[0], criterion, seed)
        parts = stream_curve(subject.network, layers[0], order, subject.inputs, subject.targets)
        yield from _refined(parts, order.tolist(), len(order))
        return
    inputs, targets = subject.calibration
    pairs = global_order(subject.network, layers, criterion, inputs, targets, seed)
    levels = sorted({round(i * len(pairs) / GLOBAL_LEVELS) for i in range(GLOBAL_LEVELS + 1)})
    parts = stream_global_curve(subject.network, pairs, subject.inputs, subject.targets, levels=levels)
    yield from _refined(parts, [], len(pairs))


def _refined(parts: Iterator[PartialCurve], order: list[int], units: int) -> Iterator[Answer]:
    """Each estimate once; a tick where there is none yet, so that a newer question can take the place."""
    last = None
    for part in parts:
        if part is last:
            yield {"tick": True}
            continue
        last = part
        yield {
            "order": order,
            "units": units,
            "removed": part.removed.tolist(),
            "correct": part.correct.tolist(),
            "seen": part.n_seen,
            "total": part.n_total,
            "path": part.path,
        }


def ablation(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Correct answers with each single unit of a layer removed."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    last = None
    for part in stream_ablation(subject.network, ask["layer"], subject.inputs, subject.targets):
        if part is last:
            yield {"tick": True}
            continue
        last = part
        yield {
            "correct": part.correct.tolist(),
            "dense": part.baseline,
            "seen": part.n_seen,
            "total": part.n_total,
        }


def sensitivity(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """One curve a layer, all others whole (Li 2016); layers whose units cannot be removed say why."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    count = min(len(subject.targets), SURFACE_EXAMPLES)
    for layer in ask["layers"]:
        try:
            order = order_of(subject, layer, ask["criterion"])
            levels = _levels(len(order))
            yield {"layer": layer} | _curve(subject, layer, order, levels, count)
        except PruningError as problem:
            yield {"layer": layer, "problem": str(problem)}


def surface(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """A coarse curve for each of many epochs: since when can how much go?"""
    layer = ask["layer"]
    for epoch in ask["epochs"]:
        subject = subjects.at(ask["run"], float(epoch))
        order = order_of(subject, layer, ask["criterion"])
        count = min(len(subject.targets), SURFACE_EXAMPLES)
        yield {"epoch": epoch} | _curve(subject, layer, order, _levels(len(order)), count)


def selection(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Accuracy without exactly these units, beside as many by norm and as many at random."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    layer, units = ask["layer"], sorted({int(unit) for unit in ask["units"]})
    n_total = len(subject.targets)
    n_units = len(subject.initial[f"{layer}.weight"])
    if units and not 0 <= units[0] <= units[-1] < n_units:
        raise PruningError(f"units: {units[0]} to {units[-1]}, but {layer} has units 0 to {n_units - 1}.")
    for count in _stages(subject):
        inputs, targets = subject.inputs[:count], subject.targets[:count]

        def without(removed: Sequence[int], x: torch.Tensor = inputs, y: torch.Tensor = targets) -> int:
            return accuracy_of(subject.network, {layer: np.asarray(removed, dtype=int)}, x, y).correct

        answer: Answer = {"units": units, "seen": count, "total": n_total, "correct": without(units)}
        answer["dense"] = without([])
        answer["by_norm"] = without(order_of(subject, layer, "l2")[: len(units)])
        yield answer | {"random": []}
        answer["random"] = [
            without(order_of(subject, layer, "random", seed)[: len(units)]) for seed in range(RANDOM_ROUNDS)
        ]
        yield answer


def joint(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Several layers pruned together, each by its own share: the accuracy, and what is left."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    removed = {}
    for layer, share in ask["shares"].items():
        order = order_of(subject, layer, ask["criterion"])
        removed[layer] = np.sort(order[: round(float(share) * len(order))])
    n_total = len(subject.targets)
    for count in _stages(subject):
        correct = accuracy_of(subject.network, removed, subject.inputs[:count], subject.targets[:count]).correct
        yield {"correct": correct, "seen": count, "total": n_total, "removed": {k: len(v) for k, v in removed.items()}}


def sizes(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Parameters, multiply-adds and latency of the physically smaller network at some levels of removal."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    layer = ask["layer"]
    order = order_of(subject, layer, ask["criterion"])
    shape = tuple(subject.inputs.shape[1:])
    found: dict[str, list[float]] = {"removed": [], "params": [], "macs": [], "latency": []}
    # The last unit cannot be removed physically: a layer of no units is no network.
    for level in sorted({min(round(i * len(order) / SIZE_LEVELS), len(order) - 1) for i in range(SIZE_LEVELS + 1)}):
        after = summary(subject.model, {layer: np.sort(order[:level])}, shape, latency_runs=LATENCY_RUNS).after
        found["removed"].append(level)
        found["params"].append(after.parameters)
        found["macs"].append(after.macs)
        found["latency"].append(after.latency or 0.0)
        yield {"tick": True}
    yield dict(found)


def take_away(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Write a mask or the smaller network to ``ask["path"]``, which the dashboard chose."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    layer, kind, path = ask["layer"], ask["kind"], ask["path"]
    order = order_of(subject, layer, ask["criterion"])
    removed = {layer: np.sort(order[: int(ask["count"])])}
    shape = tuple(subject.inputs.shape[1:])
    if kind == "mask-json":
        told = mask_json(subject.model, removed, input_shape=shape) | {
            "run": ask["run"],
            "epoch": subject.epoch,
            "criterion": ask["criterion"],
            "note": "A mask shrinks nothing: export the smaller model for that.",
        }
        Path(path).write_text(json.dumps(told, indent=1))
    elif kind == "mask-state":
        torch.save(mask_state_dict(subject.model, removed, input_shape=shape), path)
    elif kind == "model":
        torch.save(remove(subject.model, removed, input_shape=shape).state_dict(), path)
    else:
        raise PruningError(f"kind: {kind!r} is unknown. Use mask-json, mask-state or model.")
    yield {"path": path}


QUESTIONS: dict[str, Callable[[Subjects, dict[str, Any]], Iterator[Answer]]] = {
    "curves": curves,
    "ablation": ablation,
    "sensitivity": sensitivity,
    "surface": surface,
    "selection": selection,
    "joint": joint,
    "sizes": sizes,
    "take_away": take_away,
    "low_rank_swap": low_rank_swap,
    "correlations": correlations,
    "collapse": collapse,
    "embed": embed,
}


def _stages(subject: Subject) -> list[int]:
    """How many examples to answer on: a few first where there are many, then all."""
    n_total = len(subject.targets)
    return [FIRST_EXAMPLES, n_total] if n_total > 2 * FIRST_EXAMPLES else [n_total]


def _levels(n_units: int) -> list[int]:
    return sorted({round(i * n_units / SURFACE_LEVELS) for i in range(SURFACE_LEVELS + 1)})


def _curve(subject: Subject, layer: str, order: np.ndarray, levels: list[int], count: int) -> Answer:
    *_, part = stream_curve(subject.network, layer, order, subject.inputs[:count], subject.targets[:count], levels=levels)
    return {
        "removed": np.asarray(part.removed).tolist(),
        "units": len(order),
        "correct": np.asarray(part.correct).tolist(),
        "seen": count,
        "total": len(subject.targets),
    }
