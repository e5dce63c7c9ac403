"""Requests to a running writer: one small file each, put in place by a rename."""

import re
import secrets
import time
from pathlib import Path

from prunescope.engine.store import files
from prunescope.engine.store.errors import StoreError

FOLDER = "control"
ACTIONS = ("pause", "resume", "stop")
_REQUEST = re.compile(rf"(\d{{20}})-[0-9a-f]{{8}}\.({'|'.join(ACTIONS)})")


def send(folder: Path, action: str) -> None:
    """Ask the writer of a run for something.

    Raises
    ------
    StoreError
        If the action is unknown, or the folder cannot be written.
    """
    if action not in ACTIONS:
        raise StoreError(f"request {action!r}: choose from {', '.join(ACTIONS)}")
    control = folder / FOLDER
    try:
        control.mkdir(mode=0o700, exist_ok=True)
        if not files.is_folder(control):
            raise StoreError(f"{control}: not a folder; a run folder holds no links")
        files.replace(control / f"{time.time_ns():020d}-{secrets.token_hex(4)}.{action}", [])
    except OSError as error:
        raise StoreError(f"{control}: the request could not be left ({error.strerror})") from None


def take(folder: Path, *, before: float = float("inf")) -> list[str]:
    """Pending requests in order, consumed; only those made `before` a time in unix seconds."""
    control = folder / FOLDER
    if not files.is_folder(control):
        return []
    actions = []
    for path in sorted(control.iterdir()):
        match = _REQUEST.fullmatch(path.name)
        if match and int(match[1]) < before * 1e9:
            path.unlink(missing_ok=True)
            actions.append(match[2])
    return actions
