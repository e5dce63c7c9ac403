"""`prunescope prune`: measured accuracy while units of one layer are removed; the same numbers as the page."""

import argparse
import sys
from typing import Any

from prunescope.app.commands.common import (
    OK,
    Problem,
    ProgressLine,
    add_flag,
    add_json,
    add_logdir,
    find_run,
    print_json,
)
from prunescope.engine.pruning.criteria import CRITERIA
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.store import Run, Store, StoreError

ALL_LAYERS = "all"
SHOWN_SHARES = tuple(range(0, 101, 10))


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("prune", help="measure the accuracy of a pruned network", description=__doc__)
    parser.add_argument("id", metavar="RUN")
    add_logdir(parser)
    add_flag(parser, "--layer", help=f"layer to prune, or '{ALL_LAYERS}' for all together (default: the first)")
    add_flag(
        parser,
        "--criterion",
        default="l2",
        help="what is removed first; 'l2' the smallest L2 norm, 'l2:largest' the largest; "
        f"one of {', '.join(name for name in CRITERIA if ':' not in name)}",
    )
    add_flag(parser, "--epoch", type=float, help="recorded epoch to prune at (default: the last)")
    add_flag(parser, "--model", help="module:callable that returns the network, for runs of your own training loop")
    add_flag(parser, "--data", help="module:callable that returns held-out inputs and targets, likewise")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    store = Store(options.logdir)
    found = find_run(store, options.id)
    layers, epoch = _layers(found, options.layer), _epoch(found, options.epoch)
    if options.criterion not in CRITERIA:
        raise Problem(f"--criterion: {options.criterion!r} is unknown. Use one of {', '.join(CRITERIA)}.")
    print(f"prunescope: {found.id}, epoch {epoch:g}, {', '.join(layers)} …", file=sys.stderr)

    from prunescope.engine.evaluation.questions import curves
    from prunescope.engine.evaluation.subject import Subjects, set_threads

    set_threads()
    subjects = Subjects(store, model=options.model, data=options.data)
    asked = {"run": found.id, "epoch": epoch, "layers": layers, "criteria": [options.criterion]}
    measured: dict[tuple[str, int], dict[str, Any]] = {}
    line = ProgressLine()
    try:
        for answer in curves(subjects, asked):
            if answer.get("tick"):
                continue
            measured[answer["criterion"], answer["seed"]] = answer
            _tell(line, answer)
    except (ValueError, StoreError) as error:
        raise Problem(str(error)) from None
    main = measured[options.criterion, 0]
    draws = [answer["correct"] for (name, _), answer in sorted(measured.items()) if name == "random"]
    if options.json:
        print_json(
            {
                "run": found.id,
                "epoch": epoch,
                "layers": layers,
                "criterion": options.criterion,
                "order": main["order"],
                "removed": main["removed"],
                "correct": main["correct"],
                "random_correct": draws,
                "n_examples": main["total"],
                "exact": main["seen"] == main["total"],
                "path": main["path"],
            }
        )
        return OK
    _print_curve(main, draws)
    return OK


def _tell(line: ProgressLine, answer: dict[str, Any]) -> None:
    """How far a curve is: in place on a terminal, elsewhere once it is exact."""
    name = answer["criterion"] + (f" {answer['seed'] + 1}" if answer["criterion"] == "random" else "")
    told = f"{name}: {answer['seen']:,} of {answer['total']:,} examples at {len(answer['removed']):,} levels"
    exact = answer["seen"] == answer["total"]
    line.write(told if exact else f"{told} …", step=name if exact else None)
    if exact:
        line.end_line()


def _print_curve(main: dict[str, Any], draws: list[list[int]]) -> None:
    n, last = main["total"], len(main["removed"]) - 1
    print(f"{'removed':>9}  {'accuracy':>8}  {'95 % interval':>15}  {'random':>7}")
    for share in SHOWN_SHARES:
        at = round(share / 100 * last)
        correct = main["correct"][at]
        low, high = wilson_interval(correct, n)
        random = sum(draw[at] for draw in draws) / len(draws) / n
        print(f"{main['removed'][at]:>9}  {correct / n:>8.1%}  {low:>6.1%} to {high:>6.1%}  {random:>7.1%}")
    print(f"{n} held-out examples, exact; random: mean of {len(draws)} orders. A mask shrinks nothing.")


def _layers(run: Run, name: str | None) -> list[str]:
    if run.error or not run.layers:
        raise Problem(run.error or f"{run.id}: nothing recorded yet.")
    known = [layer.name for layer in run.layers]
    if name == ALL_LAYERS:
        return known[:-1] or known
    if name is None:
        return known[:1]
    if name not in known:
        raise Problem(f"--layer: {name!r} is no layer of {run.id}. Use one of {', '.join(known)}, or '{ALL_LAYERS}'.")
    return [name]


def _epoch(run: Run, asked: float | None) -> float:
    epochs = run.epochs
    if asked is None:
        return float(epochs[-1])
    if asked not in epochs:
        raise Problem(f"--epoch: {asked:g} was not recorded. Use one of {epochs[0]:g} to {epochs[-1]:g}.")
    return asked
