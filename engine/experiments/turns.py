"""Background heads stand in line: one computes at a time in a log directory, the others in order of arrival.

Two queued experiments would only halve each other's cores. A place in the line is a lock of the kernel,
so a process that dies leaves it. Imports no torch.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prunescope.engine.store.locks import is_held

PLACE = "head.lock"
TURN = "turn.lock"
_LOOK_SECONDS = 0.5
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def take_place(folder: Path) -> int | None:
    """Stand in line for an experiment: the handle that holds the place, or None if another process does.

    The handle may be given to a child process; the place is left when its last copy is closed.
    """
    handle = os.open(folder / PLACE, _FLAGS, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.utime(handle)  # since when it stands there
    except OSError:
        os.close(handle)
        return None
    return handle


def has_place(folder: Path) -> bool:
    """Whether a living background process stands in line for an experiment, or computes it."""
    return is_held(folder / PLACE)


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait until no other background process computes in this log directory, and nobody came before."""
    handle = os.open(folder.parent / TURN, _FLAGS, 0o600)
    try:
        while _came_before(folder) or not _taken(handle):
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _came_before(folder: Path) -> bool:
    since = _since(folder)
    return any(
        _since(other.parent) < since and has_place(other.parent)
        for other in folder.parent.glob(f"*/{PLACE}")
        if other.parent != folder
    )


def _since(folder: Path) -> tuple[int, str]:
    try:
        return (folder / PLACE).stat().st_mtime_ns, folder.name
    except OSError:
        return 0, folder.name
