"""From a cell and its finished parents to where its training starts. Runs in a worker, with torch."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from prunescope.engine.config import RunConfig
from prunescope.engine.data import Dataset, load_for
from prunescope.engine.experiments import masks as arithmetic
from prunescope.engine.experiments.cells import Cell
from prunescope.engine.experiments.live import LiveLayer, live_layers, macs
from prunescope.engine.experiments.starts import centres, derived, fresh_weights, scratch_weights
from prunescope.engine.models import build_for, unit_modules
from prunescope.engine.models.plain import XordNet
from prunescope.engine.store import Run
from prunescope.engine.training.job import BatchOrder
from prunescope.engine.training.masking import layer_masks, parameter_masks, scores_of
from prunescope.engine.training.start import Pruning, Start, read_kept, read_start
from torch import nn

Arrays = dict[str, NDArray[Any]]
# Liu et al. 2018: where pruning saves more than half of the FLOPs, Scratch-B trains twice as long.
LONGEST_SCRATCH = 2.0
_SHUFFLE = 11


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Settings (Scratch-B's length depends on the mask) and start of a run."""

    config: RunConfig
    start: Start


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A run's network and data as they are before anything is done to them."""

    config: RunConfig
    data: Dataset
    model: nn.Module
    trusted: bool

    def source(self, run: Run) -> "Scene":
        """The scene of a parent, whose settings may be others."""
        return scene_of(RunConfig.from_dict(run.config, trusted=self.trusted), trusted=self.trusted)

    @property
    def steps_per_epoch(self) -> int:
        return BatchOrder(len(self.data.train_x), self.config.batch_size, 0).steps

    def step(self, moment: Mapping[str, Any]) -> int:
        """The step of {"at", "unit"}; a fraction of an epoch is rounded to the nearest step."""
        at = moment["at"]
        step = int(at) if moment["unit"] == "step" else round(at * self.steps_per_epoch)
        total = self.config.epochs * self.steps_per_epoch
        if step >= total:
            raise ValueError(f"{moment['unit']} {at:g} is step {step}, and training has {total}: take an earlier one.")
        return step


def scene_of(config: RunConfig, *, trusted: bool = False) -> Scene:
    data = load_for(config)
    return Scene(config=config, data=data, model=build_for(config, data), trusted=trusted)


def prepare(cell: Cell, run_of: Callable[[str], Run], *, trusted: bool = False) -> Prepared:
    """What the cell's training starts from.

    Parameters
    ----------
    run_of : key → finished run of a parent

    Raises
    ------
    ValueError
        If the treatment does not fit the network, saying what does.
    StoreError
        If a parent lacks what is needed of it.
    """
    config = RunConfig.from_dict(cell.config, trusted=trusted)
    asked = cell.treatment
    facts: dict[str, Any] = {"cell": cell.key, "arm": cell.arm, "level": cell.level, "label": cell.label}
    if not asked:
        return Prepared(config=config, start=Start(facts=facts))
    scene = scene_of(config, trusted=trusted)
    keep = tuple(sorted({scene.step(moment) for moment in asked.get("keep", ())}))
    start = Start(keep=keep, facts=facts)
    if "prunings" in asked:
        start = replace(start, prunings=_prunings(scene, asked["prunings"]))
    masks: dict[str, arithmetic.Mask] = {}
    if "mask" in asked:
        masks = _masks(scene, asked, run_of)
        structure = asked["mask"]["structure"]
        start = replace(start, masks=parameter_masks(scene.model, masks, structure))
        left = live_layers(scene.model, scene.data.input_shape, masks if structure == "units" else {})
        facts |= _facts(masks, left, structure)
        if asked.get("budget"):
            config = _budget(config, left)
    mode = asked.get("start")
    if mode:
        start = replace(start, **STARTS[mode](scene, asked, run_of, masks))
    return Prepared(config=config, start=replace(start, facts=facts))


def rates_of(model: nn.Module, rule: Mapping[str, Any]) -> dict[str, float]:
    """Layer → rate: the first pattern that matches, else the common rate, times the factor for the output.

    Raises
    ------
    ValueError
        If a pattern matches no layer, listing the layers.
    """
    layers = list(unit_modules(model))
    for pattern in rule["layer_rates"]:
        if not any(fnmatchcase(layer, pattern) for layer in layers):
            raise ValueError(f"layer rates: {pattern!r} matches no layer. Layers: {', '.join(layers)}.")
    # XORD's net sums its neurons: no layer of it has classes as units.
    output = None if isinstance(model, XordNet) else layers[-1]
    rates = {}
    for layer in layers:
        if layer == output and rule["structure"] == "units":
            continue  # its units are the classes
        named = [rate for pattern, rate in rule["layer_rates"].items() if fnmatchcase(layer, pattern)]
        factor = rule["output_factor"] if layer == output else 1.0
        rate = named[0] if named else rule["rate"] * factor
        if rate > 0:
            rates[layer] = rate
    return rates


def _masks(scene: Scene, asked: Mapping[str, Any], run_of: Callable[[str], Run]) -> arithmetic.Masks:
    rule = asked["mask"]
    parent = run_of(rule["from"])
    shaping = ("dataset", "model", "width", "hidden", "image_size", "color")
    same = all(parent.config.get(key) == scene.config.to_dict()[key] for key in shaping)
    model = scene.model if same else scene.source(parent).model
    before = read_start(parent.path)
    old = layer_masks(model, before.masks if before else {}, rule["structure"])
    arrays = _weights_for(scene, asked, parent)
    weights = {layer: arrays[f"{layer}.weight"] for layer in unit_modules(model)}
    scores = scores_of(weights, rule["structure"], rule["norm"])
    rates = rates_of(model, rule)
    if "quality" in rule:
        return {layer: arithmetic.quality_mask(weights[layer], rule["quality"] * rate) for layer, rate in rates.items()}
    select, seed = rule["select"], scene.config.seed
    by_norm = "smallest" if select == "one-per-cluster" else select
    new = arithmetic.SCOPES[rule["scope"]](scores, old, rates, rounds=rule["rounds"], select=by_norm, seed=seed)
    new = {layer: new[layer] for layer in rates}
    if select == "one-per-cluster":
        new = {layer: one_per_cluster(weights[layer], old[layer], int(new[layer].sum()), seed) for layer in new}
    if rule.get("shuffle"):
        new = arithmetic.shuffled(new, derived(seed, _SHUFFLE))
    fitting = {layer: tuple(module.weight.shape) for layer, module in unit_modules(scene.model).items()}
    return {layer: mask for layer, mask in new.items() if fitting.get(layer) == weights[layer].shape}


def _weights_for(scene: Scene, asked: Mapping[str, Any], parent: Run) -> Mapping[str, NDArray[Any]]:
    """The weights that decide: the parent's last, or those of the moment at which a copy is pruned."""
    at = asked["mask"].get("at")
    if at is None:
        return parent.arrays(float(parent.epochs[-1]))
    if at == 0:
        return parent.arrays(0.0)
    return _state_weights(read_kept(parent.path, scene.step({"at": at, "unit": "epoch"})))


def one_per_cluster(weights: NDArray[Any], alive: arithmetic.Mask, kept: int, seed: int) -> arithmetic.Mask:
    """Keep the unit nearest to the centre of each of `kept` clusters of directions (spherical k-means)."""
    from prunescope.engine.geometry import spherical_kmeans

    rows = weights.reshape(len(weights), -1).astype(np.float64)
    living = np.flatnonzero(alive & (rows != 0).any(axis=1))
    mask = np.zeros(len(weights), bool)
    if kept == 0:
        return mask
    if kept >= len(living):
        mask[living] = True
        return mask
    clusters = spherical_kmeans(rows[living], kept, seed=seed)
    for cluster in range(kept):
        members = np.flatnonzero(clusters.labels == cluster)
        if len(members):
            mask[living[members[np.argmin(clusters.angles[members])]]] = True
    # A cluster that nobody chose: the largest of the rest stand in, so that the number is the asked one.
    rest = [unit for unit in living[np.argsort(-np.linalg.norm(rows[living], axis=1))] if not mask[unit]]
    mask[rest[: kept - int(mask.sum())]] = True
    return mask


def _prunings(scene: Scene, rule: Mapping[str, Any]) -> tuple[Pruning, ...]:
    modules, rates, epochs = unit_modules(scene.model), rates_of(scene.model, rule), rule["epochs"]
    units = rule["structure"] == "units"
    counts = {}
    for layer, ratio in rates.items():
        weight = modules[layer].weight
        counts[layer] = arithmetic.cumulative_counts(len(weight) if units else weight.numel(), ratio, len(epochs))
    return tuple(
        Pruning(
            step=epoch * scene.steps_per_epoch, removed={layer: counts[layer][index] for layer in counts},
            structure=rule["structure"], select=rule["select"], seed=derived(scene.config.seed, 20 + index),
        )
        for index, epoch in enumerate(epochs)
    )  # fmt: skip


def _facts(masks: arithmetic.Masks, left: Mapping[str, LiveLayer], structure: str) -> dict[str, Any]:
    """How much is left; "remaining" counts weights, biases aside, as the tickets papers do."""
    total = sum(layer.weights for layer in left.values())
    if structure == "units":
        kept = sum(layer.live_weights for layer in left.values())
    else:
        kept = total - sum(int((~mask).sum()) for mask in masks.values())
    used, before = macs(left)
    counts = {layer: [int(mask.sum()), int(mask.size)] for layer, mask in masks.items()}
    facts = {"structure": structure, "kept": counts, "remaining": kept / total, "weights": kept, "of": total}
    # Single zeros save no multiplication in a dense kernel.
    return {**facts, "macs": used, "macs_before": before} if structure == "units" else facts


def _budget(config: RunConfig, left: Mapping[str, LiveLayer]) -> RunConfig:
    """Scratch-B: as many multiply-adds as the dense training, at most twice the epochs."""
    used, before = macs(left)
    factor = min(before / max(used, 1), LONGEST_SCRATCH)
    steps = tuple(round(epoch * factor) for epoch in config.step_epochs)
    return replace(config, epochs=round(config.epochs * factor), step_epochs=steps)


def _state_weights(payload: bytes) -> Arrays:
    parts = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)["parts"]
    return {name: tensor.detach().numpy() for name, tensor in {**parts["weights"], **parts["buffers"]}.items()}


def _from_init(scene: Scene, asked: Mapping[str, Any], run_of: Any, masks: Any) -> dict[str, Any]:
    return {"weights": _fitting(scene, run_of(asked["root"]).arrays(0.0))}


def _from_state(scene: Scene, asked: Mapping[str, Any], run_of: Any, masks: Any) -> dict[str, Any]:
    step = scene.step(asked)
    return {"state": read_kept(run_of(asked["root"]).path, step), "step": step}


def _from_weights_at(scene: Scene, asked: Mapping[str, Any], run_of: Any, masks: Any) -> dict[str, Any]:
    root = run_of(asked["root"])
    return {"weights": _fitting(scene, _state_weights(read_kept(root.path, scene.source(root).step(asked))))}


def _from_final(scene: Scene, asked: Mapping[str, Any], run_of: Any, masks: Any) -> dict[str, Any]:
    parent = run_of(asked["mask"]["from"])
    return {"weights": _fitting(scene, parent.arrays(float(parent.epochs[-1])))}


def _from_resampled(scene: Scene, asked: Mapping[str, Any], run_of: Any, masks: Any) -> dict[str, Any]:
    output = list(unit_modules(scene.model))[-1]
    drawn = fresh_weights(scene.config, scene.data)
    anew = {name: array for name, array in drawn.items() if name.startswith(f"{output}.")}
    return {"weights": run_of(asked["root"]).arrays(0.0) | anew}


def _from_centres(scene: Scene, asked: Mapping[str, Any], run_of: Any, masks: Any) -> dict[str, Any]:
    root = run_of(asked["root"])
    layer, n_clusters = asked["layer"], asked["clusters"]
    return {"weights": centres(root.arrays(float(root.epochs[-1])), layer, n_clusters, scene.config.seed)}


def _fitting(scene: Scene, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Those of the arrays that the network has in the same shape: another dataset may change the ends of it."""
    state = scene.model.state_dict()
    return {name: array for name, array in arrays.items() if name in state and state[name].shape == array.shape}


Starter = Callable[[Scene, Mapping[str, Any], Callable[[str], Run], arithmetic.Masks], dict[str, Any]]

STARTS: dict[str, Starter] = {
    "init": _from_init,
    "state": _from_state,
    "weights-at": _from_weights_at,
    "final": _from_final,
    "reinit": lambda scene, asked, run_of, masks: {"weights": fresh_weights(scene.config, scene.data)},
    "scratch": lambda scene, asked, run_of, masks: {
        "weights": scratch_weights(scene.config, scene.data, scene.model, masks)
    },
    "resampled": _from_resampled,
    "centres": _from_centres,
}
