"""Experiments on the disk: ``<log directory>/.experiments/<id>``. Imports no torch.

    experiment.json     what was asked, when, with which command and versions; written once
    table.sqlite        the run table
    lock, heartbeat     of the supervisor that works on it now, if any
    head.lock, head.log of the background process that stands in line for it, or works on it

The runs themselves lie in the log directory like all others, each with its own single writer.
"""

import hashlib
import json
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prunescope.engine.experiments.cells import plan_cells
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.specs import Experiment
from prunescope.engine.experiments.table import Table
from prunescope.engine.experiments.turns import has_place
from prunescope.engine.store import RunDamaged, Store, StoreError, files, locks

FOLDER = ".experiments"
_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
_FILE = "experiment.json"


class ExperimentNotFound(StoreError, KeyError):
    """No experiment of that id."""

    __str__ = Exception.__str__


@dataclass(frozen=True, kw_only=True)
class Described:
    """An experiment that is on the disk.

    Attributes
    ----------
    command : the shell command that repeats it, or ""
    versions : of the packages that it was made with
    """

    id: str
    path: Path
    experiment: Experiment
    created: float
    command: str
    versions: Mapping[str, str]

    def table(self) -> Table:
        return Table(self.path)

    def run_id(self, key: str) -> str:
        """The run of a cell."""
        return f"{self.id}.{key}"

    @property
    def is_working(self) -> bool:
        """Whether a supervisor works on it now."""
        return locks.is_locked(self.path)

    @property
    def is_waiting(self) -> bool:
        """Whether a background process stands in line for it."""
        return has_place(self.path) and not self.is_working


def experiment_id(experiment: Experiment) -> str:
    """The same settings are the same experiment: asked for again, it goes on."""
    asked = experiment.to_dict()
    for text in ("title", "paper", "scale", "note"):
        asked.pop(text)
    for name, value in asked[experiment.kind].items():
        if name.startswith("layer_"):  # patterns, of which the first match counts
            asked[experiment.kind][name] = list(value.items())
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return f"{experiment.name}-{digest[:6]}"


class Experiments:
    """The experiments of a log directory."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.root = store.root / FOLDER

    def create(self, experiment: Experiment, *, command: str = "") -> Described:
        """Put an experiment and its queued runs on the disk, or return the one that is there.

        Raises
        ------
        StoreError
            If the folder cannot be made.
        """
        name = experiment_id(experiment)
        path = self.root / name
        if not (path / _FILE).exists():
            files.refuse_network(self.store.root)
            described = {
                "format": 1, "created": time.time(), "command": command, "versions": _versions(),
                "experiment": experiment.to_dict(),
            }  # fmt: skip
            try:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                with Table(path) as table:
                    table.add(plan_cells(experiment))
                # Last: a folder without it is not an experiment yet.
                files.replace(path / _FILE, [json.dumps(described, indent=1).encode()], durable=True)
            except OSError as error:
                raise StoreError(f"{path}: an experiment cannot be made here ({error.strerror}).") from error
        return self.open(name)

    def open(self, name: str) -> Described:
        """An experiment by id.

        Raises
        ------
        ExperimentNotFound
            Listing those there are.
        RunDamaged
            If its description is not one.
        """
        path = self.root / name
        if not _ID.fullmatch(name) or not (path / _FILE).exists():
            raise ExperimentNotFound(f"no experiment {name!r} in {self.store.root}; there are {self.ids() or 'none'}.")
        try:
            read = json.loads(files.read_small(path / _FILE, 1 << 22))
            if read["format"] != 1:
                raise RunDamaged(f"{name}: format {read['format']!r}; this release reads 1. Update prunescope.")
            return Described(
                id=name,
                path=path,
                # Naming code is not running it: workers import it only for the user's own shell.
                experiment=experiment_from(read["experiment"], trusted=True),
                created=float(read["created"]),
                command=str(read["command"]),
                versions={str(key): str(value) for key, value in read["versions"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunDamaged(f"{name}/{_FILE}: not an experiment ({error}).") from error

    def ids(self) -> list[str]:
        """All experiments, newest first."""
        try:
            found = [path for path in self.root.iterdir() if _ID.fullmatch(path.name) and (path / _FILE).exists()]
        except OSError:
            return []
        found.sort(key=lambda path: (path / _FILE).stat().st_mtime, reverse=True)
        return [path.name for path in found]


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("prunescope", "torch", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
