"""The runs of an experiment, as data: what each starts from, and from whom. Imports no torch."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from prunescope.engine.experiments import specs
from prunescope.engine.experiments.checks import sweep_points

DENSE = "dense"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run to be.

    Attributes
    ----------
    key : unique in the experiment, part of the run's id
    arm, level, seed : where it stands in the tables; level is a number of rounds, an epoch, a ratio …
    label : level or point in words
    parents : keys of the cells that must be done before
    config : RunConfig settings
    treatment : what is done before training, see `treatment.prepare`; {} for a plain run
    """

    key: str
    arm: str
    seed: int
    level: float = 0.0
    label: str = ""
    parents: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    treatment: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        # In the order given: among patterns of layers the first match counts.
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Cell":
        values = json.loads(text)
        return cls(**{**values, "parents": tuple(values["parents"])})


def plan_cells(experiment: specs.Experiment) -> list[Cell]:
    """All runs of an experiment, parents before children.

    Seeds run side by side: after a third of the time there is a third of every curve, not one whole.
    """
    by_seed = [list(_PLANNERS[experiment.kind](experiment, experiment.plan, seed)) for seed in experiment.seeds]
    cells = [cell for row in zip(*by_seed, strict=True) for cell in row]
    known: set[str] = set()
    for cell in cells:
        if cell.key in known:
            raise ValueError(f"cell {cell.key} is planned twice.")
        missing = set(cell.parents) - known
        if missing:
            raise ValueError(f"cell {cell.key} comes before its parents {sorted(missing)}.")
        known.add(cell.key)
    return cells


def _dense(experiment: specs.Experiment, seed: int, **treatment: Any) -> Cell:
    config = experiment.config(seed).to_dict()
    return Cell(key=f"s{seed}-dense", arm=DENSE, seed=seed, label=DENSE, config=config, treatment=treatment)


def _tickets(experiment: specs.Experiment, plan: specs.Tickets, seed: int) -> Iterator[Cell]:
    late = plan.rewind in ("epoch", "step") and plan.rewind_at > 0
    moment = {"at": plan.rewind_at, "unit": plan.rewind}
    root = _dense(experiment, seed, **({"keep": [moment]} if late else {}))
    yield root
    source = experiment.config(seed).to_dict()
    tuned = experiment.config(seed, **plan.retrain).to_dict()
    target = experiment.config(seed, **plan.target).to_dict() if plan.target else source
    start: dict[str, Any] = {"root": root.key, "start": "init"}
    if late:
        start |= {"start": "state", **moment}
    if plan.rewind == "none":
        start["start"], source, target = "final", tuned, tuned
    rule = {
        "structure": plan.structure, "scope": plan.scope, "rate": plan.rate, "layer_rates": dict(plan.layer_rates),
        "output_factor": plan.output_factor, "select": "smallest", "norm": "l2", "rounds": 1,
    }  # fmt: skip
    parent = root.key
    for level in range(1, plan.levels + 1):
        if plan.method == "one-shot":
            parent, rule = root.key, {**rule, "rounds": level}
        shared: dict[str, Any] = {"seed": seed, "level": level, "label": f"round {level}"}
        mask = {**rule, "from": parent}
        parents = tuple(dict.fromkeys((parent, root.key)))

        def cell(arm: str, config: Mapping[str, Any], parents: tuple[str, ...] = parents, *,
                 shared: dict[str, Any] = shared, **treatment: Any) -> Cell:  # fmt: skip
            key = f"s{seed}-{arm}-{shared['level']:02d}"
            return Cell(key=key, arm=arm, parents=parents, config=config, treatment=treatment, **shared)

        # The chain of tickets is trained on the source even where only its masks are of interest.
        if "ticket" in plan.arms or plan.method == "iterative":
            ticket = cell("ticket", source, mask=mask, **start)
            yield ticket
            parent = ticket.key
        if plan.control_levels and level not in plan.control_levels:
            continue
        # Another training's optimiser state and data order mean nothing in the target: weights only.
        moved = {**start, "start": "weights-at"} if late and plan.target else start
        if plan.target:
            yield cell("transfer", target, mask=mask, **moved)
        if "reinit" in plan.arms:
            yield cell("reinit", target, mask=mask, start="reinit")
        if "random" in plan.arms:
            yield cell("random", target, mask={**mask, "shuffle": True}, **moved)
        if "one-per-cluster" in plan.arms:
            kept = {**rule, "rounds": level, "from": root.key, "select": "one-per-cluster"}
            yield cell("one-per-cluster", target, (root.key,), mask=kept, **moved)
    if plan.target and DENSE in plan.arms:
        yield Cell(key=f"s{seed}-dense-target", arm="dense-target", seed=seed, label="dense", config=target)


def _schedule(experiment: specs.Experiment, plan: specs.Schedule, seed: int) -> Iterator[Cell]:
    later = [time for time in plan.times if time > 0]
    root = _dense(experiment, seed, keep=[{"at": time, "unit": "epoch"} for time in later])
    yield root
    rule = {
        "structure": plan.structure, "scope": "layer", "rate": plan.ratio, "layer_rates": dict(plan.layer_ratios),
        "output_factor": plan.output_factor, "norm": "l2", "rounds": 1,
    }  # fmt: skip
    for time in sorted(plan.times):
        if time == specs.NO_PRUNING:
            continue  # the dense run is that copy
        at_init = time == specs.RANDOM_AT_INIT
        mask = {**rule, "select": "random" if at_init else plan.select, "from": root.key, "at": time}
        start = {"start": "init"} if at_init else {"start": "state", "at": time, "unit": "epoch"}
        yield Cell(
            key=f"s{seed}-at-{time:g}", arm="random at init" if at_init else "pruned", seed=seed, level=time,
            label=f"pruned at {time:g}", parents=(root.key,), config=root.config,
            treatment={"mask": mask, "root": root.key, **start},
        )  # fmt: skip


def _iterative(experiment: specs.Experiment, plan: specs.Iterative, seed: int) -> Iterator[Cell]:
    yield _dense(experiment, seed)
    for index, ratio in enumerate(plan.ratios):
        rule = {
            "epochs": list(plan.epochs), "structure": plan.structure, "select": plan.select, "rate": ratio,
            "layer_rates": dict(plan.layer_ratios), "output_factor": plan.output_factor,
        }  # fmt: skip
        yield Cell(
            key=f"s{seed}-ratio-{index}", arm="iterative", seed=seed, level=ratio, label=f"{ratio:g} removed",
            config=experiment.config(seed).to_dict(), treatment={"prunings": rule},
        )  # fmt: skip


def _retrain(experiment: specs.Experiment, plan: specs.Retrain, seed: int) -> Iterator[Cell]:
    root = _dense(experiment, seed)
    yield root
    tuned = experiment.config(seed, **plan.retrain).to_dict()
    rule: dict[str, Any] = {
        "structure": "weights" if plan.protocol == "han" else "units", "scope": "layer", "from": root.key,
        "layer_rates": dict(plan.layer_ratios), "output_factor": plan.output_factor, "norm": plan.norm, "rounds": 1,
    }  # fmt: skip
    number = 0

    def cell(arm: str, level: float, label: str, config: Mapping[str, Any], **treatment: Any) -> Cell:
        nonlocal number
        number += 1
        treatment = {"root": root.key, **treatment}
        key = f"s{seed}-{plan.protocol}-{number:03d}"
        return Cell(key=key, arm=arm, seed=seed, level=level, label=label, parents=(root.key,), config=config,
                    treatment=treatment)  # fmt: skip

    if plan.protocol == "han":
        for quality in plan.qualities:
            mask = {**rule, "quality": quality, "rate": 1.0, "select": "smallest"}
            yield cell("han", quality, f"quality {quality:g}", tuned, mask=mask, start="final")
        return
    for ratio in plan.ratios:
        for layer in plan.each_layer or ("",):
            label = f"{layer} {ratio:g}".strip()
            only = {"layer_rates": {layer: ratio, "*": 0.0}} if layer else {}
            smallest = {**rule, "rate": ratio, "select": "smallest", **only}
            if plan.protocol == "scratch":
                yield cell("fine-tune", ratio, label, tuned, mask=smallest, start="final")
                for arm, budget in (("scratch-e", False), ("scratch-b", True)):
                    yield cell(arm, ratio, label, root.config, mask=smallest, start="scratch", budget=budget)
                continue
            for select in plan.select:
                yield cell(select, ratio, label, tuned, mask={**smallest, "select": select}, start="final")


def _sweep(experiment: specs.Experiment, plan: specs.Sweep, seed: int) -> Iterator[Cell]:
    for index, point in enumerate(sweep_points(plan)):
        label = ", ".join(f"{name} {_short(value)}" for name, value in point.items())
        yield Cell(
            key=f"s{seed}-p{index:04d}", arm="sweep", seed=seed, level=index, label=label,
            config=experiment.config(seed, **point).to_dict(), treatment={"measures": list(plan.measures)},
        )  # fmt: skip


def _probe(experiment: specs.Experiment, plan: specs.Probe, seed: int) -> Iterator[Cell]:
    root = _dense(experiment, seed)
    yield root
    if plan.what == "resampled-classifier":
        # Without a mask: the same init, but for the output layer, which is drawn anew.
        yield Cell(
            key=f"s{seed}-resampled", arm="resampled", seed=seed, label="resampled classifier", parents=(root.key,),
            config=root.config, treatment={"root": root.key, "start": "resampled"},
        )  # fmt: skip
        return
    small = experiment.config(seed, **{"hidden": [plan.clusters], "width": 1.0, **plan.small}).to_dict()
    for arm in ("random init", "cluster centres"):
        treatment: dict[str, Any] = {}
        if arm == "cluster centres":
            treatment = {"start": "centres", "root": root.key, "layer": plan.layer, "clusters": plan.clusters}
        yield Cell(
            key=f"s{seed}-{arm.replace(' ', '-')}", arm=arm, seed=seed, level=plan.clusters,
            label=f"{plan.clusters} units", parents=(root.key,) if treatment else (), config=small,
            treatment=treatment,
        )  # fmt: skip


def _short(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


_PLANNERS: dict[str, Callable[..., Iterable[Cell]]] = {
    "tickets": _tickets,
    "schedule": _schedule,
    "iterative": _iterative,
    "retrain": _retrain,
    "sweep": _sweep,
    "probe": _probe,
}
