"""Bad settings are refused before anything runs, all of them at once. Imports no torch."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from prunescope.engine.config import ConfigError, RunConfig, check_fits
from prunescope.engine.experiments import specs
from prunescope.engine.experiments.masks import SELECTIONS
from prunescope.engine.fields import spec_of, unknown_name
from prunescope.engine.models import layer_names, model_spec

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,29}")
_TEXTS = ("title", "paper", "scale", "note")
MOST_RUNS = 20_000
# What is known of a dataset's size without loading it, to tell a step from its epoch.
TRAIN_SIZES = {"digits": 1400, "mnist": 60_000, "fashion-mnist": 60_000, "cifar10": 50_000, "cifar100": 50_000}

Problems = dict[str, str]


def experiment_from(values: Mapping[str, Any], *, trusted: bool = False) -> specs.Experiment:
    """An experiment from a recipe's values.

    Parameters
    ----------
    trusted : whether `module:callable` may be named; only from the user's own shell

    Raises
    ------
    ConfigError
        With every problem at once, by the place in the recipe ("run.epochs", "tickets.rate").
    """
    if not isinstance(values, Mapping):
        raise ConfigError({"experiment": "is not a table of names and values."})
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in specs.KINDS:
        raise ConfigError({"kind": unknown_name(str(kind), specs.KINDS)})
    problems: Problems = {}
    known = {"kind", "name", "seeds", "run", kind, *_TEXTS}
    problems |= {str(key): unknown_name(str(key), known) for key in values if key not in known}
    name = values.get("name", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        problems["name"] = f"{name!r} is no name: use up to 30 of a-z, 0-9, '.' and '-', e.g. {kind}-digits."
    seeds = _seeds(values.get("seeds", [0]), problems)
    run = values.get("run", {})
    first = _run(run, "run", seeds, trusted, problems)
    plan = _plan(kind, values.get(kind, {}), problems)
    for text in _TEXTS:
        if not isinstance(values.get(text, ""), str):
            problems[text] = f"{values[text]!r} is not a text: write it in quotes."
    if plan is not None and first is not None:
        problems |= {f"{kind}.{key}": text for key, text in CHECKS[kind](plan, first)}
        for place, changes in _variants(kind, plan):
            _run({**run, **changes}, f"{kind}.{place}", seeds, trusted, problems)
    if problems or plan is None:
        raise ConfigError(problems)
    texts = {text: values.get(text, "") for text in _TEXTS}
    return specs.Experiment(kind=kind, name=name, run=dict(run), plan=plan, seeds=seeds, **texts)


def _seeds(given: Any, problems: Problems) -> tuple[int, ...]:
    whole = isinstance(given, Sequence) and all(type(seed) is int and 0 <= seed < 2**31 for seed in given)
    if not whole or isinstance(given, str) or not given:
        problems["seeds"] = f"{given!r} is not a list of whole numbers from 0 on: write [0, 1, 2]."
        return (0,)
    if len(set(given)) < len(given):
        problems["seeds"] = f"{list(given)} has a seed twice: the second run would be the same run."
    return tuple(given)


def _run(run: Any, place: str, seeds: tuple[int, ...], trusted: bool, problems: Problems) -> RunConfig | None:
    if not isinstance(run, Mapping):
        problems[place] = "is not a table of settings: write them below [run]."
        return None
    if "seed" in run:
        problems[f"{place}.seed"] = "comes from `seeds`: leave it out here."
    try:
        config = RunConfig.from_dict({"threads": 1, **run, "seed": seeds[0]}, trusted=trusted)
        check_fits(config)
    except ConfigError as error:
        problems |= {f"{place}.{key}": message for key, message in error.problems.items()}
        return None
    if config.record_dtype != "float32":
        problems[f"{place}.record_dtype"] = "float16 rounds the weights that later runs start from: take float32."
    return config


def _plan(kind: str, given: Any, problems: Problems) -> specs.Plan | None:
    described = specs.KINDS[kind]
    if not isinstance(given, Mapping):
        problems[kind] = f"is not a table: write the settings below [{kind}]."
        return None
    known = [item.name for item in fields(described)]
    found = {f"{kind}.{key}": unknown_name(str(key), known) for key in given if key not in known}
    values: dict[str, Any] = {}
    for item in fields(described):
        if item.name not in given:
            continue
        value = given[item.name]
        try:
            values[item.name] = spec_of(item).clean(value) if item.metadata else _table(value)
        except ValueError as error:
            found[f"{kind}.{item.name}"] = str(error)
    problems |= found
    return None if found else described(**values)


def _table(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(v, Mapping) for v in value):
        return tuple(dict(item) for item in value)
    raise ValueError(f"{str(value)[:80]!r} is not a table: write name = value below a heading in [ ].")


def _variants(kind: str, plan: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where and how the plan changes the settings of single runs."""
    for place in ("target", "retrain", "small"):
        if getattr(plan, place, None):
            yield place, getattr(plan, place)
    if kind == "sweep":
        yield from (("grid", point) for point in _points(plan)[:MOST_RUNS])


def sweep_points(plan: specs.Sweep) -> list[dict[str, Any]]:
    """Every point of a sweep: each listed one combined with every combination of the grid."""
    names = list(plan.grid)
    combinations = [dict(zip(names, values, strict=True)) for values in product(*plan.grid.values())]
    return [{**point, **combination} for point in plan.points or ({},) for combination in combinations]


def _rate(name: str, rate: float) -> Iterator[tuple[str, str]]:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1:
        yield name, f"{rate!r} is outside (0, 1]: 0.2 removes a fifth, 1 removes all."


def _rates(name: str, rates: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for layer, rate in rates.items():
        # A layer that is to stay whole says 0.
        if rate != 0 or isinstance(rate, bool):
            yield from _rate(f"{name}.{layer}", rate)


def _patterns(name: str, patterns: Iterable[str], config: RunConfig) -> Iterator[tuple[str, str]]:
    """Layers that are named must be there; of the user's own networks only making them can tell."""
    layers = layer_names(config.model, config.hidden)
    strangers = [p for p in patterns if layers and not any(fnmatchcase(layer, p) for layer in layers)]
    if layers and strangers:
        there = ", ".join(layers) if len(layers) < 20 else f"{', '.join(layers[:4])}, … {layers[-1]}"
        match = "matches" if len(strangers) == 1 else "match"
        yield name, f"{', '.join(map(repr, strangers))} {match} no layer of {config.model}: it has {there}."


def _choices(name: str, given: Sequence[str], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    for value in given:
        if value not in known:
            yield name, unknown_name(value, known)
    if not given:
        yield name, f"is empty: name at least one of {', '.join(known)}."


def _tickets(plan: specs.Tickets, config: RunConfig) -> Iterator[tuple[str, str]]:
    yield from _rate("rate", plan.rate)
    yield from _rates("layer_rates", plan.layer_rates)
    yield from _patterns("layer_rates", plan.layer_rates, config)
    yield from _choices("arms", plan.arms, specs.TICKET_ARMS)
    if "ticket" not in plan.arms and set(plan.arms) & {"reinit", "random"} and plan.method == "iterative":
        yield "arms", f"{list(plan.arms)}: reinit and random take the ticket's mask: add ticket, their parent."
    if "one-per-cluster" in plan.arms and plan.structure != "units":
        yield "arms", 'one-per-cluster keeps units: set structure = "units" or leave it out.'
    if any(level > plan.levels for level in plan.control_levels):
        yield "control_levels", f"{list(plan.control_levels)} go beyond the {plan.levels} rounds: raise levels."
    yield from _rewind(plan, config)
    if plan.target and plan.rewind == "none":
        yield "target", "is for tickets that are reset: choose rewind init, epoch or step."
    if plan.retrain and plan.rewind != "none":
        yield "retrain", "is for rewind none: a ticket that is reset trains as the dense net did."


def _rewind(plan: specs.Tickets, config: RunConfig) -> Iterator[tuple[str, str]]:
    at, size = plan.rewind_at, TRAIN_SIZES.get(config.dataset)
    if plan.rewind in ("init", "none"):
        if at:
            yield "rewind_at", f"{at:g} has no meaning for rewind {plan.rewind}: choose epoch or step, or drop it."
        return
    if plan.rewind == "step" and at != int(at):
        yield "rewind_at", f"{at:g} is not a whole step: give a whole number, or rewind to an epoch."
    last: float = config.epochs
    if plan.rewind == "step":
        if size is None:
            return
        size = min(config.train_examples or size, size)
        last = config.epochs * -(-size // min(config.batch_size or size, size))
    if at >= last:
        yield (
            "rewind_at",
            f"{plan.rewind} {at:g} is not before the end of training ({last:g}): the usual is 0.1 to 7% of it.",
        )


def _schedule(plan: specs.Schedule, config: RunConfig) -> Iterator[tuple[str, str]]:
    yield from _rate("ratio", plan.ratio)
    yield from _rates("layer_ratios", plan.layer_ratios)
    yield from _patterns("layer_ratios", plan.layer_ratios, config)
    if not plan.times:
        yield "times", "is empty: give epochs, -1 (never) or 0 (random at the initialisation)."
    for time in plan.times:
        if time != specs.NO_PRUNING and time < 0:
            yield "times", f"{time:g} is no time: give -1 (never), 0 or an epoch."
        if time >= config.epochs:
            yield "times", f"{time:g} is not before the end of training ({config.epochs}): nothing would be trained on."
    if len(set(plan.times)) < len(plan.times):
        yield "times", f"{list(plan.times)} has a time twice."


def _iterative(plan: specs.Iterative, config: RunConfig) -> Iterator[tuple[str, str]]:
    if plan.end < plan.start:
        yield "end", f"{plan.end} comes before start {plan.start}."
    elif plan.end >= config.epochs:
        yield "end", f"{plan.end} is not before the end of training ({config.epochs})."
    if not plan.ratios:
        yield "ratios", "is empty: give at least one, e.g. [0.5]."
    for ratio in plan.ratios:
        yield from _rate("ratios", ratio)
    yield from _rates("layer_ratios", plan.layer_ratios)
    yield from _patterns("layer_ratios", plan.layer_ratios, config)


def _retrain(plan: specs.Retrain, config: RunConfig) -> Iterator[tuple[str, str]]:
    yield from _rates("layer_ratios", plan.layer_ratios)
    yield from _patterns("layer_ratios", plan.layer_ratios, config)
    yield from _patterns("each_layer", plan.each_layer, config)
    if plan.protocol == "han":
        if not plan.qualities:
            yield "qualities", "is empty: give at least one, e.g. [1.0]."
        return
    yield from _choices("select", plan.select, tuple(SELECTIONS))
    if not plan.ratios:
        yield "ratios", "is empty: give at least one, e.g. [0.5]."
    for ratio in plan.ratios:
        yield from _rate("ratios", ratio)


def _sweep(plan: specs.Sweep, config: RunConfig) -> Iterator[tuple[str, str]]:
    if not plan.grid and not plan.points:
        yield "grid", "is empty, so there is nothing to sweep: write lists of values, e.g. lr = [0.1, 0.01]."
    for name, values in plan.grid.items():
        if not isinstance(values, list | tuple) or not values:
            yield f"grid.{name}", f"{values!r} is not a list of values: write [{values!r}]."
    if all(isinstance(values, list | tuple) and values for values in plan.grid.values()):
        points = sweep_points(plan)
        if len(points) > MOST_RUNS:
            yield "grid", f"{len(points):,} points are too many: take at most {MOST_RUNS:,}."
        if any("seed" in point for point in points):
            yield "grid.seed", "comes from `seeds`: leave it out here."
    for measure in plan.measures:
        if measure not in specs.MEASURES:
            yield "measures", unknown_name(measure, specs.MEASURES)
        elif config.model != "mlp" or any(len(p.get("hidden", config.hidden)) > 1 for p in _points(plan)):
            yield "measures", f"{measure} is defined for one hidden layer: choose the model mlp with one width."


def _points(plan: specs.Sweep) -> list[dict[str, Any]]:
    lists = all(isinstance(values, list | tuple) for values in plan.grid.values())
    return sweep_points(plan) if lists else []


def _probe(plan: specs.Probe, config: RunConfig) -> Iterator[tuple[str, str]]:
    if plan.what != "cluster-centres":
        return
    if config.model not in ("channels", "mlp"):
        yield "what", f"cluster-centres needs a net whose width can be set: choose channels or mlp, not {config.model}."
        return
    layers = layer_names(config.model, config.hidden) or ()
    if plan.layer not in layers[:-1]:
        yield "layer", f"{plan.layer!r} is no hidden layer of {config.model}: choose {', '.join(layers[:-1])}."
        return
    units = (config.hidden or model_spec(config.model).hidden or ())[layers.index(plan.layer)]
    if plan.clusters > units:
        yield "clusters", f"{plan.clusters} clusters of {units} units: take at most {units}, or make the net wider."


CHECKS: dict[str, Callable[..., Iterable[tuple[str, str]]]] = {
    "tickets": _tickets,
    "schedule": _schedule,
    "iterative": _iterative,
    "retrain": _retrain,
    "sweep": _sweep,
    "probe": _probe,
}
