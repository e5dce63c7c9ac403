"""What `tickets`, `schedule` and `sweep` share: from a recipe to a finished table."""

import argparse
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prunescope.app.commands.common import OK, Problem, add_flag, add_json, add_logdir, print_json
from prunescope.app.experiments import duration
from prunescope.app.recipe_form import COMMANDS, command_for
from prunescope.engine.config import ConfigError
from prunescope.engine.experiments.cells import plan_cells
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.estimate import disk_bytes, seconds_needed
from prunescope.engine.experiments.executor import executor_width
from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.experiments.reach import check_data_within_reach
from prunescope.engine.experiments.recipes import changed, read_recipe, recipe_names
from prunescope.engine.experiments.report import as_json
from prunescope.engine.experiments.specs import Experiment
from prunescope.engine.experiments.summary import Summary, seconds_left, summarise
from prunescope.engine.experiments.supervisor import Supervisor
from prunescope.engine.experiments.table import Row
from prunescope.engine.store import Store, StoreError

# A column is shown where its numbers differ; accuracy always is.
COLUMNS = (
    "remaining", "accuracy", "train_accuracy", "first_accuracy", "early_stop_iteration", "epochs_to_fit", "distance",
    "norm", "angle",
)  # fmt: skip
DIGITS = {"early_stop_iteration": 0, "epochs_to_fit": 1, "distance": 2, "norm": 2, "angle": 1}


def add_experiment(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, *, help: str, description: str | None
) -> None:
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog="The same recipe with the same settings goes on where it was: finished runs are not redone. "
        "Ctrl-C saves the running ones.",
    )
    add_logdir(parser)
    add_json(parser)
    known = [recipe for recipe in recipe_names() if read_recipe(recipe).get("kind") in COMMANDS[name]]
    parser.add_argument("--recipe", required=True, help=f"{', '.join(known)}, or a TOML file", metavar="RECIPE")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PLACE=VALUE", help="change a setting: run.epochs=3, seeds=[0]"
    )
    add_flag(parser, "--executor", default="local", help="local:N runs N at once", metavar="URL")
    parser.add_argument("--dry-run", action="store_true", help="check the settings and list the runs, nothing more")
    parser.add_argument("--retry", action="store_true", help="queue failed runs again")
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="write a report there at the end")
    parser.set_defaults(run=lambda options: run(options, name))


def run(options: argparse.Namespace, name: str) -> int:
    """Compute an experiment; 0 when all is done, 1 when something failed or was stopped, 2 when it cannot start."""
    try:
        experiment = experiment_from(changed(read_recipe(options.recipe), options.set), trusted=True)
        width = executor_width(options.executor)
    except ConfigError as error:
        raise Problem("\n  ".join(["these settings cannot be used:", *str(error).splitlines()])) from None
    except ValueError as error:
        raise Problem(str(error)) from None
    if experiment.kind not in COMMANDS[name]:
        right = f"prunescope {command_for(experiment.kind)} --recipe {options.recipe}"
        raise Problem(f"{options.recipe} is of kind {experiment.kind}: {right}")
    if options.dry_run:
        return _list(experiment, options.executor, as_json=options.json)
    try:
        check_data_within_reach(experiment)
    except ConfigError as error:
        raise Problem(str(error)) from None
    store = Store(options.logdir)
    try:
        described = Experiments(store).create(experiment, command=_command(options, name))
        _supervise(store, described, options, width)
        summary = summarise(store, described, workers=width)
        if options.report:
            from prunescope.app.exporting import report

            print(f"report: {report.write(store, described, options.report)}", file=sys.stderr)
    except StoreError as error:
        raise Problem(str(error), Problem.FAILED) from None
    if options.json:
        print_json(as_json(summary))
    else:
        print_summary(summary)
    return OK if summary.state == "done" else Problem.FAILED


def _supervise(store: Store, described: Described, options: argparse.Namespace, width: int) -> None:
    with described.table() as table:
        if options.retry:
            for row in table.rows():
                if row.state in ("failed", "cancelled"):
                    table.retry(row.key)
        table.pause_all(False)
    teller = Teller(width)
    print(f"experiment {described.id} in {store.root}", file=sys.stderr, flush=True)
    try:
        # The user's own shell asks, so the settings may name the user's own code.
        Supervisor(store, described, executor=options.executor, trusted=True, progress=teller.tell).run()
    except KeyboardInterrupt:
        raise Problem(f"stopped; every finished run is kept. Go on with: {described.command}", Problem.FAILED) from None


class Teller:
    """Says on stderr what has ended, once for each run."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._told: set[tuple[str, str]] = set()

    def tell(self, rows: Sequence[Row]) -> None:
        ended = [row for row in rows if row.state in ("done", "failed", "cancelled")]
        first = not self._told
        for row in ended:
            if (row.key, row.state) in self._told:
                continue
            self._told.add((row.key, row.state))
            if not first:
                print(f"{len(ended)} of {len(rows)}  {row.key} {_outcome(row)}{self._left(rows)}", file=sys.stderr)
        if first:
            self._told.add(("", ""))
            print(f"{len(ended)} of {len(rows)} runs are there already", file=sys.stderr)
        sys.stderr.flush()

    def _left(self, rows: Sequence[Row]) -> str:
        times = [row.seconds for row in rows if row.state == "done" and row.seconds]
        left = sum(row.state in ("queued", "running") for row in rows)
        if not times or not left:
            return ""
        return f"  {duration(left * sum(times) / len(times) / self._width)} left"


def _outcome(row: Row) -> str:
    if row.state != "done":
        return f"{row.state}: {row.error}" if row.error else row.state
    accuracy, remaining = row.result.get("accuracy"), row.result.get("remaining", 1)
    return f"accuracy {accuracy:.4f} at {remaining:.1%} remaining" if accuracy is not None else "done"


def print_summary(summary: Summary) -> None:
    """The table of arms and levels, mean ± sd over n seeds."""
    print(f"{summary.id}: {summary.title} ({summary.state})")
    shown = [name for name in COLUMNS if name == "accuracy" or _varies(summary, name)]
    rows: list[tuple[str, ...]] = [("arm", "level", "n", *shown)]
    for group in summary.groups:
        values = [group.values.get(name) for name in shown]
        n = next((value.n for value in values if value is not None), 0)
        cells = [_shown(name, value) for name, value in zip(shown, values, strict=True)]
        rows.append((group.arm, group.label, f"{n} of {group.n_planned}", *cells))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for line in summary.lines:
        if line.error:
            print(f"{line.key} {line.state}: {line.error}")
    left = seconds_left(summary.lines, 1)
    if summary.counts["queued"] and not math.isnan(left):
        print(f"{summary.counts['queued']} runs queued, about {duration(left)} of computing")


def _varies(summary: Summary, name: str) -> bool:
    means = {group.values[name].mean for group in summary.groups if name in group.values}
    # The accuracy before training says something only of nets that start trained.
    told = name != "first_accuracy" or summary.kind in ("retrain", "schedule")
    return len(means) > 1 and told


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "–"
    digits = DIGITS.get(name, 4)
    sd = "" if math.isnan(value.sd) else f" ± {value.sd:.{digits}f}"
    return f"{value.mean:.{digits}f}{sd}"


def _list(experiment: Experiment, executor: str, *, as_json: bool) -> int:
    cells = plan_cells(experiment)
    size, seconds = disk_bytes(cells), seconds_needed(cells)
    if as_json:
        planned = [{"key": cell.key, "arm": cell.arm, "label": cell.label, "parents": cell.parents} for cell in cells]
        print_json({"runs": planned, "bytes": size, "core_seconds": seconds})
        return OK
    for cell in cells:
        after = f"  after {', '.join(cell.parents)}" if cell.parents else ""
        print(f"{cell.key:28} {cell.arm:16} {cell.label}{after}")
    told = [f"{len(cells)} runs"]
    if size:
        told.append(f"about {size / 1e6:,.0f} MB on the disk" if size < 1e9 else f"about {size / 1e9:,.1f} GB on the disk")
    if seconds:
        told.append(f"about {duration(seconds)} of computing on one core, {duration(seconds / executor_width(executor))} here")
    print(", ".join(told))
    return OK


def _command(options: argparse.Namespace, name: str) -> str:
    """What repeats this experiment."""
    parts = ["prunescope", name, "--recipe", options.recipe]
    for change in options.set:
        parts += ["--set", change]
    if options.logdir != Path("runs"):
        parts += ["--logdir", str(options.logdir)]
    return shlex.join(parts)
