"""What a run is doing, believed only as far as the lock and the heartbeat confirm it."""

import os
import threading
import time
from pathlib import Path

from prunescope.engine.store import files, locks

HEARTBEAT = "heartbeat"
BEAT_SECONDS = 1.0
FRESH_SECONDS = 5.0
_UNFINISHED = ("running", "paused")


def run_status(folder: Path, state: str) -> str:
    """Status of a run whose writer committed `state` last.

    Returns
    -------
    str
        ``done``, ``stopped``, ``failed`` as committed. ``queued``, ``running``, ``paused`` while a process holds
        the lock and its heartbeat is under 5 s old, ``not responding`` when the heartbeat is older.
        ``interrupted`` when the lock is free although the run had not ended.
    """
    if state in ("done", "stopped", "failed"):
        return state
    if not locks.is_locked(folder):
        return "interrupted" if state in _UNFINISHED else "queued"
    return state if heartbeat_age(folder) < FRESH_SECONDS else "not responding"


def heartbeat_age(folder: Path) -> float:
    """Seconds since the writer's last sign of life; infinite if there was none."""
    try:
        return time.time() - os.lstat(folder / HEARTBEAT).st_mtime
    except OSError:
        return float("inf")


class Heartbeat:
    """A daemon thread that touches ``<run>/heartbeat`` every second until `stop`."""

    def __init__(self, folder: Path) -> None:
        self._handle = files.open_regular(folder / HEARTBEAT, os.O_WRONLY | os.O_CREAT)
        self._stopped = threading.Event()
        os.utime(self._handle)
        self._thread = threading.Thread(target=self._beat, name="prunescope-heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a second call does nothing."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._thread.join()
            os.close(self._handle)

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            # An inode touch; it needs no room on a full disk. A folder that went away is not our business here.
            try:
                os.utime(self._handle)
            except OSError:
                continue
