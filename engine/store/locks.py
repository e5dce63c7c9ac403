"""Who writes a run. The lock is the kernel's, so a dead writer does not hold it."""

import fcntl
import json
import os
import time
import weakref
from pathlib import Path

from prunescope.engine.store import files
from prunescope.engine.store.errors import RunDamaged, RunLocked, RunNotFound, StoreError

LOCK = "lock"
# A reader that asks whether the lock is held takes it, shared, for some microseconds.
_PATIENCE = 0.3


class RunLock:
    """The exclusive lock of a run folder, held until `release` or the death of the process.

    Raises
    ------
    RunLocked
        If another writer holds it.
    RunNotFound
        If the folder went away.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        try:
            self._handle = files.open_regular(self._path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            raise RunNotFound(f"{folder}: the run folder is gone") from None
        try:
            self._acquire()
            self._note_owner()
        except BaseException:
            os.close(self._handle)
            raise
        _held.add(self)

    def _acquire(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    holder = owner(self._path.parent) or {}
                    raise RunLocked(
                        f"{self._path.parent.name}: process {holder.get('pid', '?')} is writing this run. "
                        "Stop it first, or record under another name."
                    ) from None
                time.sleep(0.002)
        try:
            same = os.path.samestat(os.fstat(self._handle), self._path.stat())
        except OSError:
            same = False
        if not same:
            raise RunNotFound(f"{self._path.parent}: the run was moved or deleted")

    def _note_owner(self) -> None:
        text = json.dumps({"pid": os.getpid(), "started": start_ticks(os.getpid()), "boot": boot_id()})
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, text.encode(), 0)
        except OSError:
            pass  # a full disk must not refuse the writer that could report it

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self in _held:
            _held.discard(self)
            os.close(self._handle)

    def drop_inherited(self) -> None:
        """In a forked child: close the copy of the handle, which would keep the lock when the parent dies."""
        os.close(self._handle)


_held: "weakref.WeakSet[RunLock]" = weakref.WeakSet()


def _forget_in_child() -> None:
    for lock in list(_held):
        lock.drop_inherited()
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)


def is_locked(folder: Path) -> bool:
    """Whether a living process holds the lock of a run folder."""
    return is_held(folder / LOCK)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock on a file; False where there is no such file."""
    try:
        handle = files.open_regular(path)
    except (OSError, StoreError):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def owner(folder: Path) -> dict[str, object] | None:
    """Pid, start ticks and boot id that the last writer noted, or None.

    Compare all three (`is_alive`) before any signal: pids are used again.
    """
    try:
        noted = json.loads(files.read_small(folder / LOCK, 4096))
    except (OSError, ValueError, RunDamaged, StoreError):
        return None
    return noted if isinstance(noted, dict) and type(noted.get("pid")) is int else None


def is_alive(noted: dict[str, object]) -> bool:
    """Whether the process that `owner` describes still runs, and is the same one."""
    pid = noted["pid"]
    return (
        isinstance(pid, int)
        and noted.get("boot") == boot_id()
        and noted.get("started") is not None
        and noted.get("started") == start_ticks(pid)
    )


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if it is gone or unknown here."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[19])


def boot_id() -> str | None:
    """Identity of this boot of the machine; None where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
