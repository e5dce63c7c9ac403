"""`prunescope experiments`: list, follow, order, pause, cancel, retry and report experiments."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from prunescope.app.commands.common import OK, Problem, add_json, add_logdir, print_json
from prunescope.app.commands.experiment import print_summary
from prunescope.app.experiments import ALL, ONE
from prunescope.engine.experiments.folder import Described, ExperimentNotFound, Experiments
from prunescope.engine.experiments.report import as_json
from prunescope.engine.experiments.summary import Summary, summarise
from prunescope.engine.store import Store, StoreError

# What can be asked of one run, or of the whole queue where no run is named.
CHANGES = {
    "pause": "hold a run, or the whole experiment; what runs is saved first",
    "resume": "let it go on",
    "cancel": "leave a run out, or all that are not done; what was recorded stays",
    "retry": "queue what failed or was cancelled again",
    "first": "move a waiting run to the front",
}
# After these somebody has to compute.
GOES_ON = ("resume", "retry", "first")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("experiments", help="list, follow, steer and report experiments", description=__doc__)
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    def action(name: str, help: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help)
        add_logdir(added)
        add_json(added)
        added.set_defaults(run=run)
        return added

    action("ls", "list the experiments, newest first", list_experiments)
    action("show", "the table of one: mean ± sd over seeds", show).add_argument("id", metavar="EXPERIMENT")
    report = action("report", "write figures, tables and settings into a folder", write)
    report.add_argument("id", metavar="EXPERIMENT")
    report.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    for name, help in CHANGES.items():
        changing = action(name, help, change)
        changing.set_defaults(action=name)
        changing.add_argument("id", metavar="EXPERIMENT")
        optional = "?" if name in ALL else None
        changing.add_argument("key", metavar="RUN", nargs=optional, help="as `show --json` names it: s0-ticket-03")


def list_experiments(options: argparse.Namespace) -> int:
    store = Store(options.logdir)
    found = Experiments(store)
    summaries = [summarise(store, found.open(name)) for name in found.ids()]
    if options.json:
        print_json([_brief(summary) for summary in summaries])
        return OK
    for summary in summaries:
        total = sum(summary.counts.values())
        print(f"{summary.id}  {summary.state}  {summary.counts['done']} of {total} runs  {summary.title}")
    if not summaries:
        print(f"No experiments in {options.logdir}.")
    return OK


def show(options: argparse.Namespace) -> int:
    store = Store(options.logdir)
    summary = summarise(store, _open(store, options.id))
    if options.json:
        print_json(as_json(summary))
    else:
        print_summary(summary)
    return OK


def write(options: argparse.Namespace) -> int:
    # Figures are drawn as the pages draw them; no other action needs that.
    from prunescope.app.exporting import report

    store = Store(options.logdir)
    described = _open(store, options.id)
    try:
        page = report.write(store, described, options.to)
    except StoreError as error:
        raise Problem(str(error), Problem.FAILED) from None
    print_json({"report": page}) if options.json else print(page)
    return OK


def change(options: argparse.Namespace) -> int:
    described = _open(Store(options.logdir), options.id)
    try:
        with described.table() as table:
            if options.key:
                ONE[options.action](table, options.key)
            else:
                ALL[options.action](table)
    except StoreError as error:
        raise Problem(str(error)) from None
    if options.json:
        print_json({"experiment": described.id, "run": options.key, "asked": options.action})
    if options.action in GOES_ON and not (described.is_working or described.is_waiting):
        print(f"No process works on {described.id}. Go on with: {described.command or 'its command'}", file=sys.stderr)
    return OK


def _open(store: Store, name: str) -> Described:
    try:
        return Experiments(store).open(name)
    except ExperimentNotFound as error:
        raise Problem(str(error)) from None
    except StoreError as error:
        raise Problem(str(error), Problem.FAILED) from None


def _brief(summary: Summary) -> dict[str, object]:
    kept = ("id", "name", "title", "kind", "state", "counts", "seconds_left")
    return {name: getattr(summary, name) for name in kept}
