"""Files of a run folder, which may be a stranger's: regular files inside it, and nothing else.

No link is followed and no pipe is waited for; whatever is replaced is replaced whole.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from prunescope.engine.store.errors import RunDamaged, StoreError

VALUE_FILE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")

# flock, mmap and fsync mean less here than SQLite needs; two hosts could both hold "the" lock.
_NETWORK = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.sshfs",
        "fuse.s3fs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    ]
)


def open_regular(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file; never a link, and never blocking on a pipe.

    Raises
    ------
    FileNotFoundError
        If there is none.
    RunDamaged
        If it is anything but a regular file.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        if is_irregular(path):
            raise RunDamaged(
                f"{path}: not a regular file; a run folder holds no links, pipes or devices"
            ) from None
        raise StoreError(f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise RunDamaged(f"{path}: not a regular file; a run folder holds no links, pipes or devices")
    return handle


def is_irregular(path: str | Path) -> bool:
    """Whether something is there that is not a regular file."""
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def is_folder(path: str | Path) -> bool:
    """Whether a real folder is there, not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def read_small(path: str | Path, limit: int = 1 << 20) -> bytes:
    """A whole small file; RunDamaged when it is larger than `limit` bytes."""
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise RunDamaged(f"{path}: larger than {limit} bytes")
    return data


def replace(path: Path, parts: Iterable[bytes | bytearray | memoryview], *, durable: bool = False) -> None:
    """Write a file whole or not at all: a temporary one beside it, then a rename."""
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            for part in parts:
                write_all(handle, part)
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def write_all(handle: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte; `os.write` may stop short of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def sync(path: str | Path) -> None:
    """Make a file or a folder durable, if it is there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def network_filesystem(path: Path) -> str | None:
    """Type of the network file system that holds `path`, or None if it is a local one.

    Known on Linux only; elsewhere every file system counts as local.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    place = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), left.split(" ")[4])
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, right.split(" ")[0]
    return kind if kind in _NETWORK else None


def refuse_network(path: Path) -> None:
    """StoreError when a run would be written to a network file system."""
    kind = network_filesystem(path)
    if kind:
        raise StoreError(
            f"{path} is on {kind}, a network file system: locks and durable writes cannot be trusted there. "
            "Give a log directory on a local disk; finished runs may be copied here and read."
        )


def remove_tree(path: Path) -> None:
    """Delete a folder and all in it; of a link, only the link."""
    if is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
