"""The acceptance checks of experiments at their stated size: python tests/benchmarks/science_experiments.py [--full]

Without --full one seed and fewer levels. Prints what was measured beside what is to be reached; exit
code 1 if anything misses. Ctrl-C and a second start go on where it was.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.experiments.recipes import changed, read_recipe
from prunescope.engine.experiments.summary import Summary, summarise
from prunescope.engine.experiments.supervisor import Supervisor
from prunescope.engine.store import Store

Verdict = tuple[str, str, bool]


def values(summary: Summary, arm: str, name: str) -> dict[float, float]:
    return {g.level: g.values[name].mean for g in summary.groups if g.arm == arm and name in g.values}


def small_net(summary: Summary) -> Iterator[Verdict]:
    found = {group.arm: group.values["accuracy"] for group in summary.groups}
    centres, random = found["cluster centres"], found["random init"]
    shown = f"{centres.mean:.4f} ± {centres.sd:.4f} against {random.mean:.4f} ± {random.sd:.4f}, n {centres.n}"
    yield "6: 4 filters at the centres − 4 random ones ≥ 1 point", shown, centres.mean - random.mean >= 0.01


def tickets(summary: Summary) -> Iterator[Verdict]:
    remaining = values(summary, "reinit", "remaining")
    ticket, reinit = values(summary, "ticket", "accuracy"), values(summary, "reinit", "accuracy")
    for level, left in remaining.items():
        ahead = ticket[level] - reinit[level]
        shown = f"{ticket[level]:.4f} − {reinit[level]:.4f} = {100 * ahead:+.2f} points"
        if left <= 0.021:
            yield f"8: {left:.2%} remaining, ticket − reinit ≥ 2 points", shown, ahead >= 0.02
        elif left >= 0.25:
            yield f"8: {left:.2%} remaining, |ticket − reinit| ≤ 0.7 points", shown, abs(ahead) <= 0.007


def neurons(summary: Summary) -> Iterator[Verdict]:
    ticket, reinit = values(summary, "ticket", "accuracy"), values(summary, "reinit", "accuracy")
    kept = {line.level: line.result["kept"] for line in summary.lines if line.arm == "reinit" and line.result}
    for level, accuracy in reinit.items():
        ahead = ticket[level] - accuracy
        units = "/".join(str(count) for count, _ in kept[level].values())
        shown = f"{ticket[level]:.4f} − {accuracy:.4f} = {100 * ahead:+.2f} points"
        if kept[level]["fc1"][0] >= 62:
            yield f"9: {units} neurons, |ticket − reinit| ≤ 1 point", shown, abs(ahead) <= 0.01
        else:
            yield f"9: {units} neurons (no bound)", shown, True


def random_labels(summary: Summary) -> Iterator[Verdict]:
    true, noise = summary.groups[0].values, summary.groups[-1].values
    fitted = noise["train_accuracy"].mean
    yield "13: random labels, train ≥ .99", f"{fitted:.4f}", fitted >= 0.99
    yield "13: random labels, test .05–.15", f"{noise['accuracy'].mean:.4f}", 0.05 <= noise["accuracy"].mean <= 0.15
    epochs = noise["epochs_to_fit"].mean, true["epochs_to_fit"].mean
    yield "13: ≥ 5× the epochs of true labels", f"{epochs[0]:.1f} and {epochs[1]:.1f}", epochs[0] >= 5 * epochs[1]


def width(summary: Summary) -> Iterator[Verdict]:
    hidden = [round(group.values["hidden"].mean) for group in summary.groups]
    for name, meaning in (("distance", "‖U−U⁰‖ falls"), ("angle", "the angle to init falls")):
        found = np.array([group.values[name].mean for group in summary.groups])
        yield (
            f"14: {meaning}, {hidden[0]} → {hidden[-1]}",
            " ".join(f"{v:.2f}" for v in found),
            bool((np.diff(found) < 0).all()),
        )
    norms = np.array([group.values["norm"].mean for group in summary.groups])
    inside = 0 < norms.argmin() < len(norms) - 1
    yield "14: ‖U‖ has an interior minimum", " ".join(f"{v:.2f}" for v in norms), bool(inside)


LATE = ("run.init='default'", "run.batch_size=60", "run.epochs=17")
CHECKS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], Callable[[Summary], Iterator[Verdict]]]] = {
    # recipe, changes, further changes of the short form
    "6": ("digits-centres", (), ("seeds=[0,1]",), small_net),
    "8": (
        "digits-lenet",
        (*LATE, "tickets.levels=20", "tickets.control_levels=[3,6,18,19,20]"),
        ("seeds=[0]", "tickets.rate=0.5", "tickets.levels=6", "tickets.control_levels=[1,6]"),
        tickets,
    ),
    "9": (
        "digits-neurons",
        ("tickets.arms=['dense','ticket','reinit']",),
        ("seeds=[0]", "tickets.levels=7", "tickets.control_levels=[7]"),
        neurons,
    ),
    "13": (
        "digits-noise",
        ("sweep.points=[{label_noise=0.0,epochs=30},{label_noise=1.0,epochs=150}]",),
        ("seeds=[0]",),
        random_labels,
    ),
    "14": (
        "digits-width",
        ("sweep.grid={hidden=[[16],[32],[64],[128],[256],[512],[1024]]}",),
        ("seeds=[0]", "sweep.grid={hidden=[[16],[32],[64],[256]]}"),
        width,
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the stated seeds and levels; minutes each")
    parser.add_argument("--only", choices=list(CHECKS), nargs="+", default=list(CHECKS))
    parser.add_argument("--logdir", type=Path, default=Path("runs-science"))
    parser.add_argument("--executor", default="local")
    options = parser.parse_args()
    store, missed = Store(options.logdir), 0
    for name in options.only:
        recipe, changes, shorter, judge = CHECKS[name]
        asked = changed(read_recipe(recipe), [*changes, *(() if options.full else shorter)])
        described = Experiments(store).create(experiment_from(asked))
        Supervisor(store, described, executor=options.executor).run()
        for what, measured, reached in judge(summarise(store, described)):
            missed += not reached
            print(f"{'ok  ' if reached else 'MISS'}  {what}: {measured}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
