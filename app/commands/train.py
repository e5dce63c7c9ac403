"""`prunescope train`: train one network here, recording every epoch; Ctrl-C keeps what was done."""

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prunescope.app.commands.common import (
    OK,
    Problem,
    ProgressLine,
    add_json,
    add_logdir,
    find_run,
    print_json,
    variable,
)
from prunescope.engine.config import ConfigError, FieldSpec, RunConfig, check_fits, check_within_reach, field_specs
from prunescope.engine.presets import PRESETS
from prunescope.engine.store import Run, Store, StoreError


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "train",
        help="train a network and record every epoch",
        description=__doc__,
        epilog="A flag goes before its environment variable (--epochs: PRUNESCOPE_EPOCHS), that before the "
        "TOML file, that before the preset.",
    )
    add_logdir(parser)
    add_json(parser)
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file of settings: epochs = 10")
    parser.add_argument("--preset", choices=list(PRESETS), help="settings to start from")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run from its last checkpoint")
    groups: dict[str, argparse._ArgumentGroup] = {}
    for spec in field_specs():
        group = groups.setdefault(spec.group, parser.add_argument_group(spec.group))
        _add_setting(group, spec)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train; 0 when all epochs are done, 1 when it failed or was stopped, 2 when it cannot start."""
    store = Store(options.logdir)
    try:
        run_id = _resumed(store, options) if options.resume else _created(store, options)
    except ConfigError as error:
        raise Problem(_in_flags(error)) from None
    except StoreError as error:
        raise Problem(str(error)) from None
    return _train(store, run_id, as_json=options.json)


def settings_of(options: argparse.Namespace, environment: Mapping[str, str]) -> RunConfig:
    """Collect the settings: flag before environment before TOML before preset before default.

    Raises
    ------
    ConfigError
        With every problem at once, whichever source it came from.
    """
    values: dict[str, Any] = {}
    if options.preset:
        values |= PRESETS[options.preset].to_dict()
    if options.config:
        values |= read_toml(options.config)
    problems: dict[str, str] = {}
    for spec in field_specs():
        given = getattr(options, spec.name, None)
        text = given if given is not None else environment.get(variable(spec.name))
        if text is None:
            continue
        try:
            values[spec.name] = spec.parse(text) if isinstance(text, str) else text
        except ValueError as error:
            problems[spec.name] = str(error)
            values.pop(spec.name, None)
    try:
        config = RunConfig.from_dict(values, trusted=True)
    except ConfigError as error:
        raise ConfigError(problems | error.problems) from None
    if problems:
        raise ConfigError(problems)
    check_fits(config)
    return config


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of settings; Problem if there is none or it is no TOML."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise Problem(f"--config {path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(f"--config {path}: not valid TOML: {error}. Write lines like: epochs = 10") from None


def _created(store: Store, options: argparse.Namespace) -> str:
    config = settings_of(options, os.environ).in_place
    check_within_reach(config)
    return store.create_run(config.to_dict(), name=config.title)


def _resumed(store: Store, options: argparse.Namespace) -> str:
    given = [spec.name for spec in field_specs() if getattr(options, spec.name, None) is not None]
    given += [name for name in ("config", "preset") if getattr(options, name)]
    if given:
        raise Problem(f"--resume goes on with the settings of {options.resume}; leave out {_flag(given[0])}.")
    run = find_run(store, options.resume)
    if run.error:
        raise Problem(run.error, Problem.FAILED)
    if run.status == "done":
        raise Problem(f"run {run.id} has finished all its epochs: there is nothing to resume.")
    if run.status in ("running", "paused", "not responding"):
        raise Problem(f"run {run.id} is {run.status}: another process trains it already.")
    RunConfig.from_dict(run.config, trusted=True)
    return run.id


def _train(store: Store, run_id: str, *, as_json: bool) -> int:
    total = store.run(run_id).config.get("epochs")

    def report(epoch: float, metrics: Mapping[str, float]) -> None:
        teller.end_line()
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        print(f"epoch {epoch:g} of {total}  {numbers}", file=sys.stderr, flush=True)

    print(f"run {run_id} in {store.root}", file=sys.stderr, flush=True)
    teller = Teller()
    # Only now: torch takes seconds to import, and everything that could be wrong has been said.
    from prunescope.engine.training import train_run

    stopped = f"Stopped; every finished epoch is kept. Go on with: prunescope train --resume {run_id}"
    if store.root != Path("runs"):
        stopped += f" --logdir {store.root}"
    try:
        # The user's own shell asks, so the settings may name the user's own code.
        done = train_run(store, run_id, trusted=True, on_epoch=report, on_progress=teller.tell)
    except KeyboardInterrupt:
        raise Problem(stopped, Problem.FAILED) from None
    except Exception as error:
        raise Problem(f"run {run_id} failed: {type(error).__name__}: {error}", Problem.FAILED) from error
    _print_result(done, as_json=as_json)
    if done.status != "done":
        raise Problem(stopped, Problem.FAILED)
    return OK


class Teller(ProgressLine):
    """How far a download or the reading of a folder is: in place on a terminal, else every tenth."""

    def tell(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` (0: nobody knows) is there."""
        share = f" {100 * done / total:.0f}%" if total else f" {done:,}"
        self.write(what + share, step=(what, 10 * done // total if total else 0))


def _print_result(run: Run, *, as_json: bool) -> None:
    if as_json:
        head = run.head
        last = {name: values[-1] for name, values in run.metrics().items()}
        print_json(
            {
                "run": run.id,
                "status": run.status,
                "epoch": head.epoch,
                "best": head.best,
                "metrics": last,
                "path": run.path,
            }
        )
    else:
        print(run.id)


def _add_setting(group: "argparse._ArgumentGroup", spec: FieldSpec) -> None:
    shown = ",".join(map(str, spec.default)) if isinstance(spec.default, tuple) else spec.default
    text = spec.help.replace("%", "%%") + (f" (default: {shown})" if shown not in (None, "") else "")
    if spec.kind == "bool":
        group.add_argument(_flag(spec.name), action=argparse.BooleanOptionalAction, default=None, help=text)
        return
    choices = ", ".join(spec.choices) + (f", {spec.patterns}" if spec.patterns else "")
    group.add_argument(
        _flag(spec.name),
        default=None,
        metavar=spec.kind.upper(),
        help=f"{text}; {choices}".replace("%", "%%") if choices else text,
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _in_flags(error: ConfigError) -> str:
    lines = [f"{_flag(name)}: {message}" for name, message in error.problems.items()]
    return "\n  ".join(["these settings cannot be used:", *lines])
