"""Experiments as the pages see them: which there are, what of them has changed, how they are started and steered.

Imports no torch: reading goes through the engine's read model, and computing happens in a process of its own.
"""

import json
import math
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from prunescope.app.wire import plain
from prunescope.engine.config import ConfigError, RunConfig, field_specs
from prunescope.engine.experiments import specs
from prunescope.engine.experiments.cells import plan_cells
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.experiments.head import ensure_head, launch_experiment
from prunescope.engine.experiments.recipes import read_recipe, recipe_names
from prunescope.engine.experiments.summary import Summary, summarise
from prunescope.engine.experiments.table import FILE, Table
from prunescope.engine.fields import FieldSpec
from prunescope.engine.store import Store, StoreError
from prunescope.engine.store.locks import is_locked

# What can be asked of one run of the queue, and of the queue as a whole.
ONE = {"pause": Table.pause, "resume": Table.resume, "cancel": Table.cancel, "retry": Table.retry, "first": Table.first}
ALL = ("pause", "resume")
# What most people change of a recipe; everything else stays as the recipe has it.
RUN_FIELDS = ("dataset", "model", "epochs", "lr", "batch_size", "init_scale")


def stamps(store: Store) -> dict[str, str]:
    """Experiment id → a text that moves on whenever its queue does; a few file dates, no database is opened."""
    found = {}
    for name in Experiments(store).ids():
        folder = Experiments(store).root / name
        marks = []
        # The newest changes stand in the journal beside the table until they are folded into it.
        for path in (folder / FILE, folder / f"{FILE}-wal"):
            try:
                told = path.stat()
            except OSError:
                continue
            if told.st_size:  # an empty journal comes and goes with every reader
                marks.append(f"{told.st_mtime_ns}:{told.st_size}")
        found[name] = "/".join([*marks, str(int(is_locked(folder)))])
    return found


def listed(store: Store) -> list[tuple[str, str]]:
    """(id, title) of every experiment that can be read, newest first."""
    experiments = Experiments(store)
    found = []
    for name in experiments.ids():
        try:
            written = (experiments.root / name / "experiment.json").stat().st_mtime
            found.append((name, _title(store.root, name, written)))
        except (StoreError, OSError):
            continue
    return found


@lru_cache(maxsize=512)
def _title(root: Path, name: str, written: float) -> str:
    """``written`` is there to forget a title when the file behind it is another one."""
    described = Experiments(Store(root)).open(name)
    return described.experiment.title or name


def chosen(store: Store, name: str) -> Described:
    """The experiment that a link names, or the newest one.

    Raises
    ------
    ValueError
        If there is none at all.
    StoreError
        If it is unknown or cannot be read.
    """
    experiments = Experiments(store)
    ids = experiments.ids()
    if not name and not ids:
        raise ValueError("No experiment yet. “New experiment” starts one; so does `prunescope tickets` on the shell.")
    return experiments.open(name or ids[0])


def queue(store: Store, described: Described) -> dict[str, Any]:
    """The queue as JSON: each run with its state, progress and error, and the time that is left."""
    summary = summarise(store, described)
    kept = ("key", "run_id", "arm", "label", "seed", "state", "progress", "attempt", "error", "seconds", "parents")
    return plain(
        {
            "id": summary.id,
            "title": summary.title,
            "state": summary.state,
            "counts": summary.counts,
            "seconds_left": summary.seconds_left,
            "left": duration(summary.seconds_left),
            "command": described.command,
            "log": _log_tail(described) if summary.state == "waiting" else "",
            "runs": [{name: getattr(line, name) for name in kept} for line in summary.lines],
        }
    )


def _log_tail(described: Described) -> str:
    """The last line that the experiment's own process wrote: why it does not work on it."""
    try:
        lines = (described.path / "log.txt").read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""


def overview(store: Store) -> list[dict[str, Any]]:
    """One line an experiment, newest first, as JSON."""
    found = []
    for name in Experiments(store).ids():
        try:
            summary: Summary = summarise(store, Experiments(store).open(name))
        except StoreError as error:
            found.append({"id": name, "title": name, "state": "damaged", "error": str(error), "counts": {}})
            continue
        kept = ("id", "title", "kind", "state", "counts")
        found.append({key: getattr(summary, key) for key in kept} | {"left": duration(summary.seconds_left)})
    return plain(found)


def duration(seconds: float) -> str:
    """In words; "" where it is not known."""
    if not math.isfinite(seconds) or seconds <= 0:
        return ""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def forms() -> list[dict[str, Any]]:
    """The recipes that ship, each with the fields of its main settings, filled in."""
    found = [_form(name, read_recipe(name)) for name in recipe_names()]
    # What most people come for first; the names' own order, this machine's scale first, stays within a kind.
    kinds = list(specs.KINDS)
    return sorted(found, key=lambda form: (form["scale"] != "this machine", kinds.index(form["kind"])))


def _form(name: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(recipe["kind"])
    run = {spec.name: spec for spec in field_specs()}
    fields = [
        _field("seeds", "Seeds", "list", list(recipe.get("seeds", [0])), "every run once for each; spread needs two"),
        *(_described(f"run.{key}", run[key], recipe.get("run", {})) for key in RUN_FIELDS if key in run),
        *(_described(f"{kind}.{spec.name}", spec, recipe.get(kind, {})) for spec in specs.plan_specs(kind)),
    ]
    if kind == "sweep":
        for setting, values in recipe.get("sweep", {}).get("grid", {}).items():
            label = run[setting].label if setting in run else setting
            fields.append(_field(f"sweep.grid.{setting}", f"Swept: {label}", "values", values, "written as in a recipe"))
    texts = {key: recipe.get(key, "") for key in ("title", "paper", "scale", "note")}
    return plain({"recipe": name, "kind": kind, "runs": _count(recipe), "fields": fields, **texts})


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
    if place == "seeds":
        parts = [part.strip() for part in typed.split(",") if part.strip()]
        if not all(part.isdigit() for part in parts):
            raise ValueError(f"{typed[:60]!r} is not a list of whole numbers from 0 on: write 0, 1, 2.")
        return [int(part) for part in parts]
    if field["kind"] == "values":
        return _values(typed)
    table, name = place.split(".", 1)
    known = field_specs() if table == "run" else specs.plan_specs(kind)
    value = next(spec for spec in known if spec.name == name).parse(typed)
    return list(value) if isinstance(value, tuple) else value


def _values(typed: str) -> list[Any]:
    try:
        value = tomllib.loads(f"value = [{typed}]")["value"]
    except tomllib.TOMLDecodeError:
        raise ValueError(f"{typed[:60]!r} is no list: write commas between values, texts in quotes.") from None
    return list(value)


def start(store: Store, recipe: str, changes: Mapping[str, Any]) -> str:
    """Put an experiment into the queue and let a process of its own work on it; returns its id at once.

    The process outlives this one. Where the same experiment is there already, it goes on.
    """
    experiment, _ = asked_for(recipe, changes)
    return launch_experiment(store, experiment, command=_command(experiment, recipe, changes))


def _command(experiment: specs.Experiment, recipe: str, changes: Mapping[str, Any]) -> str:
    """What repeats it on the shell: values as the engine read them, in TOML's spelling."""
    told = experiment.to_dict()
    before = read_recipe(recipe)
    parts = ["prunescope", {"tickets": "tickets", "sweep": "sweep", "probe": "sweep"}.get(experiment.kind, "schedule")]
    parts += ["--recipe", recipe]
    for place in changes:
        value, old = _at(told, place), _at(before, place)
        if value is not None and value != old:
            parts += ["--set", f"{place}={json.dumps(value)}"]
    return shlex.join(parts)


def _at(values: Any, place: str) -> Any:
    for name in place.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def steer(store: Store, described: Described, action: str, key: str) -> None:
    """Do one of `ONE` to a run, or of `ALL` to the queue where no run is named; then see that someone works on it.

    Raises
    ------
    StoreError
        If the run is unknown, or its state does not allow it.
    """
    with described.table() as table:
        if key:
            ONE[action](table, key)
        else:
            table.pause_all(action == "pause")
        paused = table.paused
    if action in ("resume", "retry", "first") and not paused:
        ensure_head(store, described)


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's settings without what only names it."""
    known = set(RunConfig.__dataclass_fields__)
    return {key: value for key, value in config.items() if key in known and key != "name"}
