"""Questions about one set of units: the accuracy without them, what is left, and files of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from prunescope.engine.evaluation.orders import RANDOM_ROUNDS, equal_steps, learn, order_of
from prunescope.engine.evaluation.pace import in_steps
from prunescope.engine.evaluation.subject import Subject, Subjects
from prunescope.engine.pruning import (
    PruningError,
    accuracy_of,
    global_order,
    mask_json,
    mask_state_dict,
    measure_size,
    remove,
)

Answer = dict[str, Any]
Removed = dict[str, np.ndarray]
SIZE_LEVELS = 12
LATENCY_RUNS = 9


def selection(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Accuracy without exactly these units, beside as many by norm and as many at random."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    layer, units = ask["layer"], sorted({int(unit) for unit in ask["units"]})
    n_units = subject.network.units(layer)
    if units and not 0 <= units[0] <= units[-1] < n_units:
        raise PruningError(f"units: {units[0]} to {units[-1]}, but {layer} has units 0 to {n_units - 1}.")
    masks: dict[str, Sequence[int]] = {"correct": units, "dense": []}
    if not ask.get("alone"):
        masks["by_norm"] = order_of(subject, layer, "l2")[: len(units)]
        for seed in range(RANDOM_ROUNDS):
            masks[f"random{seed}"] = order_of(subject, layer, "random", seed)[: len(units)]
    found = dict.fromkeys(masks, 0)

    def measure(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        for name, gone in masks.items():
            removed = {layer: np.asarray(gone, dtype=int)}
            found[name] += accuracy_of(subject.network, removed, inputs, targets).correct

    total = len(subject.targets)
    for seen in in_steps(subject, total, measure):
        answer: Answer = {name: count for name, count in found.items() if not name.startswith("random")}
        answer["random"] = [count for name, count in found.items() if name.startswith("random")]
        yield answer | {"units": units, "seen": seen, "total": total}


def joint(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Several layers pruned together, each by its own share: the accuracy, and what is left."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    ask = ask | {"scope": "mix"}
    yield from learn(subject, ask["criterion"], _layers_of(ask))
    removed = removal(subject, ask)
    correct = dense = 0

    def measure(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        nonlocal correct, dense
        correct += accuracy_of(subject.network, removed, inputs, targets).correct
        dense += accuracy_of(subject.network, {}, inputs, targets).correct

    total = len(subject.targets)
    for seen in in_steps(subject, total, measure):
        gone = {name: len(units) for name, units in removed.items()}
        yield {"correct": correct, "dense": dense, "seen": seen, "total": total, "removed": gone}


def removal(subject: Subject, ask: Mapping[str, Any], level: int | None = None) -> Removed:
    """The units that a view of the pruning page removes.

    ``scope`` is ``layer`` (``share`` of ``layer``), ``all`` (``share`` of each of ``layers``) or ``mix``
    (``shares`` by layer). ``level`` counts units instead of a share.
    """
    criterion = ask["criterion"]
    if ask["scope"] == "mix":
        removed = {}
        for layer, share in ask["shares"].items():
            order = order_of(subject, layer, criterion)
            removed[layer] = np.sort(order[: round(float(share) * len(order))])
        return removed
    if ask["scope"] == "layer":
        order = order_of(subject, ask["layer"], criterion)
        count = round(float(ask.get("share", 0)) * len(order)) if level is None else level
        return {ask["layer"]: np.sort(order[:count])}
    inputs, targets = subject.calibration
    pairs = global_order(subject.network, ask["layers"], criterion, inputs, targets, known=subject.known)
    count = round(float(ask.get("share", 0)) * len(pairs)) if level is None else level
    gone = pairs[:count]
    return {layer: np.sort([unit for name, unit in gone if name == layer]) for layer in ask["layers"]}


def _layers_of(ask: Mapping[str, Any]) -> list[str]:
    if ask["scope"] == "mix":
        return list(ask["shares"])
    return [ask["layer"]] if ask["scope"] == "layer" else list(ask["layers"])


def leaving_one(subject: Subject, removed: Removed) -> Removed:
    """The same, but no layer is emptied: a layer of no units is no network."""
    return {
        layer: units[: subject.network.units(layer) - 1].astype(int) for layer, units in removed.items() if len(units)
    }


def sizes(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Parameters and multiply-adds of the physically smaller network at some levels of removal, then its latency."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    yield from learn(subject, ask["criterion"], _layers_of(ask))
    if ask["scope"] == "mix":
        masks = [{}, removal(subject, ask)]
        levels = [0, sum(map(len, masks[1].values()))]
    else:
        layers = [ask["layer"]] if ask["scope"] == "layer" else ask["layers"]
        levels = equal_steps(sum(subject.network.units(layer) for layer in layers), SIZE_LEVELS)
        masks = [removal(subject, ask, level) for level in levels]
    found: dict[str, list[float]] = {"removed": levels, "params": [], "macs": [], "latency": []}
    smaller = []
    for mask in masks:
        mask = leaving_one(subject, mask)
        known = subjects.sizes.get(_size_key(ask["run"], mask))
        smaller.append((mask, known))
        counted = known or _measured(subject, mask, 0)
        found["params"].append(counted["params"])
        found["macs"].append(counted["macs"])
        yield {"tick": True}
    if not ask.get("latency"):
        yield found
        return
    for mask, known in smaller:
        if known is None:
            known = _measured(subject, mask, LATENCY_RUNS)
            subjects.sizes.put(_size_key(ask["run"], mask), known)
        found["latency"].append(known["latency"])
        yield {"tick": True}
    yield found


def _measured(subject: Subject, mask: Removed, runs: int) -> dict[str, float]:
    shape = tuple(subject.inputs.shape[1:])
    size = measure_size(remove(subject.model, mask, input_shape=shape), shape, latency_runs=runs)
    return {"params": size.parameters, "macs": size.macs, "latency": size.latency or 0.0}


def _size_key(run: str, mask: Removed) -> tuple[Any, ...]:
    """How much goes decides the size, not which units: those tied to others take equally many along."""
    return run, *((layer, len(units)) for layer, units in sorted(mask.items()))


def take_away(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Write a mask or the smaller network to ``ask["path"]``, which the dashboard chose."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    kind, path = ask["kind"], ask["path"]
    yield from learn(subject, ask["criterion"], _layers_of(ask))
    removed = leaving_one(subject, removal(subject, ask))
    shape = tuple(subject.inputs.shape[1:])
    about = {"run": ask["run"], "epoch": subject.epoch, "criterion": ask["criterion"]}
    if kind == "mask-json":
        told = mask_json(subject.model, removed, input_shape=shape) | about
        told["note"] = "A mask shrinks nothing: export the smaller model for that."
        Path(path).write_text(json.dumps(told, indent=1))
    elif kind == "mask-state":
        torch.save(mask_state_dict(subject.model, removed, input_shape=shape), path)
    elif kind == "model":
        torch.save(_smaller(subject, removed, shape) | about, path)
    else:
        raise PruningError(f"kind: {kind!r} is unknown. Use mask-json, mask-state or model.")
    yield {"path": path, "removed": {layer: len(units) for layer, units in removed.items()}}


def _smaller(subject: Subject, removed: Removed, shape: tuple[int, ...]) -> dict[str, Any]:
    """A checkpoint of the smaller network: its weights, what it lost, and its size before and after."""
    smaller = remove(subject.model, removed, input_shape=shape)
    told = {}
    for when, model in (("before", subject.model), ("after", smaller)):
        size = measure_size(model, shape, latency_runs=LATENCY_RUNS)
        told[when] = {"parameters": size.parameters, "macs": size.macs, "latency_seconds": size.latency}
    return {
        "state_dict": smaller.state_dict(),
        "removed": {layer: units.tolist() for layer, units in removed.items()},
        "sizes": told,
        "how": "model = prunescope.engine.pruning.remove(model, checkpoint['removed']); "
        "model.load_state_dict(checkpoint['state_dict'])",
    }
