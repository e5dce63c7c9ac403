"""`prunescope tickets`: lottery tickets: train, remove, reset, repeat."""

import argparse

from prunescope.app.commands.experiment import add_experiment

DESCRIPTION = "Lottery tickets: train, remove the smallest weights or units, reset the rest, train again; beside controls."


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add_experiment(commands, "tickets", help="lottery tickets: train, remove, reset, repeat", description=DESCRIPTION)
