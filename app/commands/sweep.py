"""`prunescope sweep`: any settings against any others, over seeds."""

import argparse

from prunescope.app.commands.experiment import add_experiment


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add_experiment(
        commands,
        "sweep",
        help="any settings against any others, over seeds",
        description="Noise, width, optimisers, init scale; and second trainings that start from a part of a first.",
    )
