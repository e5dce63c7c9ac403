"""What the commands share: flags with their environment variables, errors, output."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, ClassVar

from prunescope.app.wire import plain
from prunescope.engine.fields import FALSE_WORDS, TRUE_WORDS
from prunescope.engine.store import Run, RunNotFound, Store

OK = 0
PREFIX = "PRUNESCOPE_"


class Problem(Exception):
    """Ends the command with a message on stderr and an exit code: 2 asked wrongly, 1 failed."""

    FAILED: ClassVar[int] = 1
    USAGE: ClassVar[int] = 2

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


class ProgressLine:
    """A line on stderr that says how far something is: over itself on a terminal, elsewhere once for each step."""

    def __init__(self) -> None:
        self._step: Hashable = None
        self._open = False

    def write(self, text: str, step: Hashable) -> None:
        """Show where it is; a step of None is worth no line of its own where nothing can be written over."""
        in_place = sys.stderr.isatty()
        if not in_place and step in (None, self._step):
            return
        # ESC [K clears what a longer line left behind.
        print(f"\r{text}\x1b[K" if in_place else text, file=sys.stderr, end="" if in_place else "\n", flush=True)
        self._step, self._open = step, in_place

    def end_line(self) -> None:
        """Leave the line that was written in place."""
        if self._open:
            print(file=sys.stderr)
        self._step, self._open = None, False


def variable(flag: str) -> str:
    """Return the environment variable of a flag: `--allowed-hosts` → PRUNESCOPE_ALLOWED_HOSTS."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def add_flag(
    parser: argparse.ArgumentParser,
    flag: str,
    *,
    default: Any = None,
    type: Callable[[str], Any] = str,
    help: str,
    metavar: str | None = None,
) -> None:
    """Add a flag with a value; the environment stands in for it, and argparse checks both alike."""
    parser.add_argument(
        flag,
        # argparse passes a default that is text through `type`: a bad variable is named as a bad flag is.
        default=os.environ.get(variable(flag), default),
        type=type,
        help=_with_default(help, default),
        metavar=metavar or flag.rsplit("-", 1)[-1].upper(),
    )


def add_switch(parser: argparse.ArgumentParser, flag: str, *, default: bool, help: str) -> None:
    """Add `--flag` and `--no-flag`; the environment variable holds yes or no."""
    word = os.environ.get(variable(flag), "").strip().lower()
    if word and word not in TRUE_WORDS | FALSE_WORDS:
        parser.error(f"{variable(flag)}={word!r} is neither yes nor no.")
    parser.add_argument(
        flag,
        action=argparse.BooleanOptionalAction,
        default=word in TRUE_WORDS if word else default,
        help=_with_default(help, "on" if default else "off"),
    )


def add_logdir(parser: argparse.ArgumentParser) -> None:
    add_flag(parser, "--logdir", default="runs", type=Path, help="folder of the runs", metavar="FOLDER")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON on stdout, for scripts")


def find_run(store: Store, run_id: str) -> Run:
    """Return a run by its id, or by a name that only one has; exit code 2, with the runs there are, if it is unknown."""
    try:
        return store.run(run_id)
    except RunNotFound as error:
        # A renamed run keeps its id, but its name is what its owner types.
        named = [run for run in store.runs() if run.name == run_id]
        if len(named) == 1:
            return named[0]
        if named:
            ids = ", ".join(run.id for run in named)
            raise Problem(f"{len(named)} runs are called {run_id!r}: give one of {ids}.") from None
        raise Problem(str(error)) from None


def print_json(value: Any) -> None:
    print(json.dumps(plain(value), indent=2))


def _with_default(text: str, default: Any) -> str:
    return text if default in (None, "") else f"{text} (default: {default})"
