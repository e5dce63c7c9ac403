"""`prunescope doctor`: check that what Prunescope needs is here and works."""

import argparse
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import webbrowser
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from prunescope.app.commands.common import OK, Problem, add_json, add_logdir, print_json
from prunescope.engine.store import Store, StoreError

PACKAGES = (
    "prunescope",
    "dash",
    "plotly",
    "diskcache",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "torchvision",
    "waitress",
)


class Check(NamedTuple):
    """One line of the report."""

    name: str
    good: bool
    found: str


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("doctor", help="check this installation", description=__doc__)
    add_logdir(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Report all checks; exit code 1 if one of them failed."""
    checks = [_python(), *_versions(), _sqlite(), _folder(options.logdir), _torch(), _browser()]
    if options.json:
        print_json([check._asdict() for check in checks])
    else:
        for check in checks:
            print(f"{'ok ' if check.good else 'BAD'}  {check.name}: {check.found}")
    return OK if all(check.good for check in checks) else Problem.FAILED


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.platform()}"
    return Check("python", sys.version_info >= (3, 11), found)


def _versions() -> list[Check]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Check(name, True, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append(Check(name, False, f"not installed: pip install {name}"))
    return found


def _sqlite() -> Check:
    return Check("sqlite", sqlite3.sqlite_version_info >= (3, 35), sqlite3.sqlite_version)


def _folder(logdir: Path) -> Check:
    """Record a run into a folder beside the real ones, and read it back."""
    parent = logdir.absolute()
    while not parent.exists():
        parent = parent.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".prunescope-doctor-", dir=parent) as scratch:
            store = Store(Path(scratch) / "runs")
            run_id = store.create_run({}, name="doctor")
            with store.writer(run_id) as writer:
                writer.set_state("done", "")
            if store.run(run_id).status != "done":
                raise StoreError(f"what was written was read back as {store.run(run_id).status!r}")
    except (OSError, StoreError) as error:
        return Check("logdir", False, f"{logdir}: no run can be recorded here: {error}")
    free = shutil.disk_usage(parent).free / 2**30
    return Check("logdir", True, f"{logdir}: a run was recorded and read back; {free:.1f} GiB free")


def _torch() -> Check:
    try:
        import torch
    except Exception as error:
        return Check("torch works", False, f"{type(error).__name__}: {error}")
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    threads = f"{torch.get_num_threads()} threads on {_cores()} cores"
    return Check("torch works", True, f"{', '.join(devices)}; {threads}")


def _cores() -> int:
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _browser() -> Check:
    """What opens the dashboard, and what draws exports of the shell; nothing is wrong with a server without one."""
    from prunescope.app.exporting.browser import find_browser

    drawing = find_browser()
    draws = f"{drawing} draws figures for the shell" if drawing else "figures cannot be drawn from the shell"
    try:
        return Check("browser", True, f"{webbrowser.get().name} opens the dashboard; {draws}")
    except webbrowser.Error:
        return Check("browser", True, f"none opens by itself: open the printed address by hand; {draws}")
