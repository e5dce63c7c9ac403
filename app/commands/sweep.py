"""`prunescope sweep`: any settings against any others, over seeds."""

import argparse

from prunescope.app.commands.experiment import add_experiment

DESCRIPTION = "Sweeps over settings and seeds (noise, width, optimiser, init scale), and second trainings from parts of a first."


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add_experiment(commands, "sweep", help="any settings against any others, over seeds", description=DESCRIPTION)
