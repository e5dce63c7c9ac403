"""The form of a new experiment: the recipes that ship, what of them can be changed, and what was typed.

Imports no torch.
"""

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from prunescope.app.wire import plain
from prunescope.engine.config import ConfigError, field_specs
from prunescope.engine.experiments import specs
from prunescope.engine.experiments.cells import plan_cells
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.head import launch_experiment
from prunescope.engine.experiments.recipes import read_recipe, recipe_names, toml_of
from prunescope.engine.fields import FieldSpec
from prunescope.engine.store import Store

# What most people change of a recipe; everything else stays as the recipe has it.
RUN_FIELDS = ("dataset", "model", "epochs", "lr", "batch_size", "init_scale")
# Which command of the shell starts which kinds.
COMMANDS = {
    "tickets": ("tickets",),
    "schedule": ("schedule", "iterative", "retrain"),
    "sweep": ("sweep", "probe"),
}
GROUPS = {
    "tickets": "Lottery tickets", "schedule": "When to prune", "iterative": "When to prune",
    "retrain": "Prune and retrain", "sweep": "Sweeps", "probe": "Started from a part of another",
}  # fmt: skip
# What most people come for, before the others of its kind.
FIRST = ("digits-lenet", "digits-width")


def command_for(kind: str) -> str:
    """The shell's command for a kind of experiment."""
    return next(command for command, kinds in COMMANDS.items() if kind in kinds)


def forms() -> list[dict[str, Any]]:
    """The recipes that ship, each with the fields of its main settings, filled in; this machine's scale first."""
    found = [_form(name, read_recipe(name)) for name in recipe_names()]
    kinds = list(GROUPS)
    return sorted(
        found,
        key=lambda form: (form["scale"] != "this machine", kinds.index(form["kind"]), form["recipe"] not in FIRST),
    )


def _form(name: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(recipe["kind"])
    run = {spec.name: spec for spec in field_specs()}
    fields = [
        _field("title", "Title", "str", recipe.get("title", ""), "as it stands above the figures"),
        _field("seeds", "Seeds", "list", list(recipe.get("seeds", [0])), "every run once for each; spread needs two"),
        *(_described(f"run.{key}", run[key], recipe.get("run", {})) for key in RUN_FIELDS if key in run),
        *(_described(f"{kind}.{spec.name}", spec, recipe.get(kind, {})) for spec in specs.plan_specs(kind)),
    ]
    if kind == "sweep":
        fields += _swept(recipe.get("sweep", {}))
    texts = {key: recipe.get(key, "") for key in ("title", "paper", "scale", "note")}
    group = GROUPS[kind] + ("" if texts["scale"] == "this machine" else ", at the paper's scale")
    page = "sweep" if kind in COMMANDS["sweep"] else "tickets"
    return plain(
        {"recipe": name, "kind": kind, "group": group, "page": page, "runs": _count(recipe), "fields": fields, **texts}
    )


def _swept(sweep: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a sweep varies, as lines to write in: any setting of a run may be added."""
    grid = "\n".join(f"{name} = {toml_of(values)}" for name, values in sweep.get("grid", {}).items())
    points = "\n".join(toml_of(point).strip("{} ") for point in sweep.get("points", ()))
    return [
        _field("sweep.grid", "Swept settings", "lines", grid, "a line each, name = [values]; all combinations are trained"),
        _field("sweep.points", "Points", "lines", points, "a line each, name = value, name = value: what goes together"),
    ]


def _count(recipe: Mapping[str, Any]) -> int | None:
    try:
        return len(plan_cells(experiment_from(recipe)))
    except ConfigError:
        return None


def _field(name: str, label: str, kind: str, value: Any, help: str, **more: Any) -> dict[str, Any]:
    told = {"name": name, "label": label, "kind": kind, "value": value, "help": help}
    return told | {"choices": [], "basic": True} | more


def _described(name: str, spec: FieldSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    told = asdict(spec)
    value = values.get(spec.name, spec.default)
    basic = name.startswith("run.") or bool(told.get("basic"))
    return _field(
        name, spec.label, spec.kind, list(value) if isinstance(value, tuple) else value, spec.help,
        choices=[] if spec.kind == "list" else list(spec.choices or ()), basic=basic,
    )  # fmt: skip


def asked_for(recipe: str, changes: Mapping[str, Any]) -> tuple[specs.Experiment, int]:
    """The experiment that a form describes, and its number of runs.

    Parameters
    ----------
    changes : place in the recipe ("run.epochs", "tickets.rate") → value as typed

    Raises
    ------
    ConfigError
        With every problem by place. Settings that would run the user's own code are among them.
    """
    if recipe not in recipe_names():
        raise ConfigError({"recipe": f"{recipe[:60]!r} does not ship: choose one of {', '.join(recipe_names())}."})
    values: dict[str, Any] = {key: _copied(value) for key, value in read_recipe(recipe).items()}
    fields = {field["name"]: field for field in _form(recipe, values)["fields"]}
    problems: dict[str, str] = {}
    for place, typed in changes.items():
        if place not in fields:
            problems[place] = f"{place[:60]} is no setting of this recipe."
            continue
        try:
            value = _read(place, fields[place], typed, str(values["kind"]))
        except ValueError as error:
            problems[place] = str(error)
            continue
        *tables, name = place.split(".")
        inner = values
        for table in tables:
            inner = inner.setdefault(table, {})
        inner[name] = value
    try:
        experiment = experiment_from(values)
    except ConfigError as error:
        raise ConfigError(error.problems | problems) from None
    if problems:
        raise ConfigError(problems)
    return experiment, len(plan_cells(experiment))


def _copied(value: Any) -> Any:
    return {key: _copied(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


def _read(place: str, field: Mapping[str, Any], typed: Any, kind: str) -> Any:
    """A typed text as the setting's value; ValueError says what is wrong with it."""
    if not isinstance(typed, str):
        return typed
    if place == "title":
        return typed.strip()[:200]
    if place == "seeds":
        parts = [part.strip() for part in typed.split(",") if part.strip()]
        if not all(part.isdigit() for part in parts):
            raise ValueError(f"{typed[:60]!r} is not a list of whole numbers from 0 on: write 0, 1, 2.")
        return [int(part) for part in parts]
    if field["kind"] == "lines":
        return _points(typed) if place == "sweep.points" else _grid(typed)
    table, name = place.split(".", 1)
    known = field_specs() if table == "run" else specs.plan_specs(kind)
    value = next(spec for spec in known if spec.name == name).parse(typed)
    return list(value) if isinstance(value, tuple) else value


def _grid(typed: str) -> dict[str, Any]:
    try:
        return tomllib.loads(typed)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"cannot be read ({error}): write lr = [0.1, 0.01], texts in quotes.") from None


def _points(typed: str) -> list[dict[str, Any]]:
    found = []
    for line in filter(None, map(str.strip, typed.splitlines())):
        try:
            found.append(tomllib.loads(f"point = {{ {line} }}")["point"])
        except tomllib.TOMLDecodeError:
            raise ValueError(f"{line[:60]!r} cannot be read: write label_noise = 0.5, epochs = 90.") from None
    return found


def start(store: Store, recipe: str, changes: Mapping[str, Any]) -> str:
    """Put an experiment into the queue and let a process of its own work on it; returns its id at once.

    The process outlives this one. Where the same experiment is there already, it goes on.
    """
    experiment, _ = asked_for(recipe, changes)
    return launch_experiment(store, experiment, command=_command(store, experiment, recipe, changes))


def _command(store: Store, experiment: specs.Experiment, recipe: str, changes: Mapping[str, Any]) -> str:
    """What repeats it on the shell: values as the engine read them, in TOML's spelling."""
    told = experiment.to_dict()
    before = read_recipe(recipe)
    parts = ["prunescope", command_for(experiment.kind), "--recipe", recipe]
    for place in changes:
        value, old = _at(told, place), _at(before, place)
        if value is not None and value != old:
            parts += ["--set", f"{place}={toml_of(value)}"]
    return shlex.join([*parts, "--logdir", str(store.root)])


def _at(values: Any, place: str) -> Any:
    for name in place.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values
