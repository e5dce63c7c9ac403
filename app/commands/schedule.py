"""`prunescope schedule`: prune and retrain, at chosen times, step by step, by Li, by Han or from scratch."""

import argparse

from prunescope.app.commands.experiment import add_experiment


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add_experiment(
        commands,
        "schedule",
        help="prune and retrain: at chosen times, step by step, Li, Han, from scratch",
        description="Copies pruned at chosen times and trained on; iterative pruning; Li's, Han's and Liu's protocols.",
    )
