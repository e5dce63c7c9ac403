"""`prunescope schedule`: prune and retrain: at chosen times, step by step, by Li, Han or from scratch."""

import argparse

from prunescope.app.commands.experiment import add_experiment

DESCRIPTION = "Prune during or after training: copies pruned at chosen times, iterative pruning, Li, Han, Scratch-E and -B."


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add_experiment(
        commands,
        "schedule",
        help="prune and retrain: at chosen times, step by step, by Li, Han or from scratch",
        description=DESCRIPTION,
    )
