"""The `prunescope` command. Each subcommand is a module of `app.commands`."""

import argparse
import sys
from collections.abc import Sequence

from prunescope.app.commands import (
    demo,
    doctor,
    experiments,
    export,
    imports,
    prune,
    recipes,
    runs,
    schedule,
    sweep,
    tickets,
    train,
    ui,
)
from prunescope.app.commands.common import OK, Problem

# Help lists them in this order: what a newcomer types first comes first.
COMMANDS = (
    demo, ui, train, prune, tickets, schedule, sweep, recipes, experiments, runs, export, imports, doctor,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 fine, 1 it failed, 2 it was asked wrongly."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except Problem as problem:
        print(f"prunescope: {problem}", file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        print("prunescope: interrupted.", file=sys.stderr)
        return Problem.FAILED
    except BrokenPipeError:
        # `prunescope runs ls | head`: the reader has what it wanted.
        sys.stderr.close()
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="prunescope",
        description="Watch networks train, live, and see what can be pruned from them.",
        epilog="Every flag can be set in the environment: --logdir is PRUNESCOPE_LOGDIR.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
