"""`prunescope runs`: list, show, rename and delete recorded runs."""

import argparse
import time
from collections.abc import Callable

from prunescope.app.commands.common import OK, Problem, add_json, add_logdir, find_run, print_json
from prunescope.app.describe import details, summary
from prunescope.engine.store import Run, Store, StoreError

COLUMNS = ("run", "status", "epoch", "best", "made", "name")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("runs", help="list, show, rename, delete runs", description=__doc__)
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    ls = actions.add_parser("ls", help="list the runs, newest first")
    show = actions.add_parser("show", help="show one run: settings, layers, epochs, last lines of its log")
    rename = actions.add_parser("rename", help="give a run another name; its id stays")
    rm = actions.add_parser("rm", help="move runs to the folder's trash, .trash")
    for action, run in ((ls, list_runs), (show, show_run), (rename, rename_run), (rm, remove_runs)):
        add_logdir(action)
        add_json(action)
        action.set_defaults(run=run)
    show.add_argument("id", metavar="RUN")
    rename.add_argument("id", metavar="RUN")
    rename.add_argument("name")
    rm.add_argument("ids", metavar="RUN", nargs="+")


def list_runs(options: argparse.Namespace) -> int:
    runs = Store(options.logdir).runs()
    if options.json:
        print_json([summary(run) for run in runs])
    elif runs:
        _print_table([COLUMNS, *(_row(run) for run in runs)])
    else:
        print(f"No runs in {options.logdir}.")
    return OK


def show_run(options: argparse.Namespace) -> int:
    shown = details(find_run(Store(options.logdir), options.id))
    if options.json:
        print_json(shown)
        return OK
    epochs, log = shown.pop("epochs"), shown.pop("log")
    for key, value in shown.items():
        if isinstance(value, dict):
            say(f"{key}:", *(f"  {name}: {item}" for name, item in value.items()))
        elif isinstance(value, list):
            say(f"{key}:", *(f"  {item}" for item in value))
        elif key == "created" and value:
            say(f"{key}: {_moment(value)}")
        else:
            say(f"{key}: {'' if value is None else value}".rstrip())
    say(f"snapshots: {len(epochs)}" + (f", epoch {epochs[0]:g} to {epochs[-1]:g}" if epochs else ""))
    if log:
        say("log:", *(f"  {line}" for line in log))
    return OK


def rename_run(options: argparse.Namespace) -> int:
    store = Store(options.logdir)
    run = find_run(store, options.id)
    if not any(char.isprintable() and not char.isspace() for char in options.name):
        raise Problem(f"name {options.name!r}: give at least one visible character.")
    return _changed(options, [run.id], lambda run_id: store.rename(run_id, options.name))


def remove_runs(options: argparse.Namespace) -> int:
    store = Store(options.logdir)
    # All or nothing: a typo in the third name should not leave the first two deleted.
    ids = [find_run(store, run_id).id for run_id in options.ids]
    return _changed(options, list(dict.fromkeys(ids)), store.delete)


def _changed(options: argparse.Namespace, ids: list[str], change: Callable[[str], object]) -> int:
    for run_id in ids:
        try:
            change(run_id)
        except StoreError as error:
            raise Problem(str(error), Problem.FAILED) from None
    if options.json:
        print_json({"runs": ids})
    return OK


def _row(run: Run) -> tuple[str, ...]:
    shown = summary(run)
    epoch, total, best = shown["epoch"], shown["total"], shown["best"]
    return (
        shown["id"],
        shown["status"],
        "–" if epoch is None else f"{epoch:g}" + (f"/{total:g}" if total else ""),
        f"{best['value']:.4f}" if best else "–",
        _moment(shown["created"] or 0),
        shown["name"],
    )


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(*lines: str) -> None:
    """Print lines without the escape sequences by which a stranger's run could repaint the terminal."""
    for line in lines:
        print("".join(char if char.isprintable() else "�" for char in line))
