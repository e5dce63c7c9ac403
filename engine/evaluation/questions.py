"""The questions of the pruning page, each a generator of ever better answers (plain JSON).

A generator yields often, so that a newer question can take its place, and the last thing that it
yields is exact unless it says otherwise.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from prunescope.engine.evaluation.subject import Subject, Subjects
from prunescope.engine.geometry import frame_potential, spherical_kmeans
from prunescope.engine.pruning import (
    PruningError,
    accuracy_of,
    rank_units,
    stream_curve,
    summary,
    unit_ablation,
    wilson_interval,
)

Answer = dict[str, Any]
RANDOM_ROUNDS = 5
# Enough examples for a first answer within ± 6 points, few enough to be there at once.
FIRST_EXAMPLES = 256
SURFACE_LEVELS = 24
SURFACE_EXAMPLES = 1000


def order_of(subject: Subject, layer: str, criterion: str, seed: int = 0) -> np.ndarray:
    """Units of a layer, first removed first; criteria that look at data see training examples only."""
    inputs, targets = subject.calibration
    initial = subject.initial.get(f"{layer}.weight")
    return rank_units(
        subject.model,
        layer,
        criterion=criterion,
        inputs=inputs,
        targets=targets,
        initial_weights=None if initial is None else initial.reshape(len(initial), -1),
        seed=seed,
    )


def curves(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Accuracy at every level for each criterion, and for random orders; the main criterion first.

    All criteria get their first answer from a subset before any is refined, so that the picture is whole at once.
    """
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    layer = ask["layer"]
    orders: list[tuple[str, int, np.ndarray]] = [
        (criterion, 0, order_of(subject, layer, criterion)) for criterion in ask["criteria"]
    ]
    orders += [("random", seed, order_of(subject, layer, "random", seed)) for seed in range(RANDOM_ROUNDS)]
    n_total = len(subject.targets)
    stages = [slice(0, FIRST_EXAMPLES)] if n_total > 2 * FIRST_EXAMPLES else []
    for stage in [*stages, slice(0, n_total)]:
        for criterion, seed, order in orders:
            inputs, targets = subject.inputs[stage], subject.targets[stage]
            part = None
            for part in stream_curve(subject.model, layer, order, inputs, targets):
                yield {"tick": True}
            assert part is not None  # a curve of at least one example ends in an answer
            yield {
                "criterion": criterion,
                "seed": seed,
                "order": order.tolist(),
                "removed": np.asarray(part.removed).tolist(),
                "correct": np.asarray(part.correct).tolist(),
                "seen": len(targets),
                "total": n_total,
                "path": part.path,
            }


def ablation(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Correct answers with each single unit of a layer removed."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    n_total = len(subject.targets)
    stages = [FIRST_EXAMPLES] if n_total > 2 * FIRST_EXAMPLES else []
    for count in [*stages, n_total]:
        inputs, targets = subject.inputs[:count], subject.targets[:count]
        correct = unit_ablation(subject.model, ask["layer"], inputs, targets)
        dense = accuracy_of(subject.model, {}, inputs, targets)
        yield {"correct": np.asarray(correct).tolist(), "dense": int(dense), "seen": count, "total": n_total}


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
    stages = [FIRST_EXAMPLES] if n_total > 2 * FIRST_EXAMPLES else []
    for count in [*stages, n_total]:
        inputs, targets = subject.inputs[:count], subject.targets[:count]

        def without(removed: Sequence[int], x: torch.Tensor = inputs, y: torch.Tensor = targets) -> int:
            return int(accuracy_of(subject.model, {layer: np.asarray(removed, dtype=int)}, x, y))

        answer: Answer = {"units": units, "seen": count, "total": n_total, "correct": without(units)}
        answer["dense"] = without([])
        answer["by_norm"] = without(order_of(subject, layer, "l2")[: len(units)])
        yield answer | {"random": []}
        answer["random"] = [
            without(order_of(subject, layer, "random", seed)[: len(units)]) for seed in range(RANDOM_ROUNDS)
        ]
        yield answer


def redundancy(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Which units a redundancy question removes: all but one a cluster, one whole cluster, or as many spread."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    weights = subject.model.get_parameter(f"{ask['layer']}.weight").detach().flatten(1).numpy()
    found = spherical_kmeans(weights, int(ask["k"]), seed=0)
    kind = ask["kind"]
    if kind == "one-per-cluster":
        keep = [int(np.flatnonzero(found.labels == c)[np.argmin(found.angles[found.labels == c])]) for c in set(found.labels.tolist())]
        units = [i for i in range(len(weights)) if i not in keep]
    elif kind == "whole-cluster":
        units = np.flatnonzero(found.labels == int(ask.get("cluster", 0))).tolist()
    elif kind == "spread":
        size = int((found.labels == int(ask.get("cluster", 0))).sum())
        by_cluster = [np.flatnonzero(found.labels == c).tolist() for c in range(int(found.labels.max()) + 1)]
        units = _round_robin(by_cluster, size)
    else:
        raise PruningError(f"kind: {kind!r} is unknown. Use one-per-cluster, whole-cluster or spread.")
    yield {"units": units}


def joint(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Several layers pruned together, each by its own share: the accuracy, and what is left."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    removed = {}
    for layer, share in ask["shares"].items():
        order = order_of(subject, layer, ask["criterion"])
        removed[layer] = np.sort(order[: round(float(share) * len(order))])
    n_total = len(subject.targets)
    stages = [FIRST_EXAMPLES] if n_total > 2 * FIRST_EXAMPLES else []
    for count in [*stages, n_total]:
        correct = int(accuracy_of(subject.model, removed, subject.inputs[:count], subject.targets[:count]))
        yield {"correct": correct, "seen": count, "total": n_total, "removed": {k: len(v) for k, v in removed.items()}}


def sizes(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Parameters, multiply-adds and measured latency before and after removing ``count`` units."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    order = order_of(subject, ask["layer"], ask["criterion"])
    count = min(int(ask["count"]), len(order) - 1)
    found = summary(
        subject.model,
        {ask["layer"]: np.sort(order[:count])},
        tuple(subject.inputs.shape[1:]),
        measure_latency=True,
    )
    yield {name: getattr(found, name) for name in found._fields} if hasattr(found, "_fields") else dict(vars(found))


def frame_potentials(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Frame potential of the units that are left, level by level, along one order."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    weights = subject.model.get_parameter(f"{ask['layer']}.weight").detach().flatten(1).numpy()
    order = order_of(subject, ask["layer"], ask["criterion"])
    began = time.monotonic()
    values: list[float] = []
    for m in range(len(order)):
        values.append(float(frame_potential(weights[np.sort(order[m:])])))
        if time.monotonic() - began > 0.05:
            began = time.monotonic()
            yield {"tick": True}
    yield {"values": [*values, 0.0]}


QUESTIONS: dict[str, Callable[[Subjects, dict[str, Any]], Iterator[Answer]]] = {
    "curves": curves,
    "ablation": ablation,
    "sensitivity": sensitivity,
    "surface": surface,
    "selection": selection,
    "redundancy": redundancy,
    "joint": joint,
    "sizes": sizes,
    "frame_potentials": frame_potentials,
}


def interval(correct: int, seen: int) -> tuple[float, float]:
    """95 % Wilson interval of an accuracy, as shares."""
    low, high = wilson_interval(correct, seen)
    return float(low), float(high)


def _levels(n_units: int) -> list[int]:
    return sorted({round(i * n_units / SURFACE_LEVELS) for i in range(SURFACE_LEVELS + 1)})


def _curve(subject: Subject, layer: str, order: np.ndarray, levels: list[int], count: int) -> Answer:
    part = None
    for part in stream_curve(subject.model, layer, order, subject.inputs[:count], subject.targets[:count], levels=levels):
        pass
    assert part is not None
    return {
        "removed": np.asarray(part.removed).tolist(),
        "units": len(order),
        "correct": np.asarray(part.correct).tolist(),
        "seen": count,
        "total": len(subject.targets),
    }


def _round_robin(groups: list[list[int]], count: int) -> list[int]:
    """``count`` members, taken from all groups in turn."""
    chosen: list[int] = []
    waiting = [list(group) for group in groups]
    while len(chosen) < count and any(waiting):
        for group in waiting:
            if group and len(chosen) < count:
                chosen.append(group.pop(0))
    return sorted(chosen)
