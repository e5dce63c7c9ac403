"""`prunescope tickets`: train, remove, reset, repeat; beside controls."""

import argparse

from prunescope.app.commands.experiment import add_experiment


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add_experiment(
        commands,
        "tickets",
        help="lottery tickets: train, remove, reset, repeat",
        description="Remove the smallest weights or units, reset the rest, train again; beside controls.",
    )
