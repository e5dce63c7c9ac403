"""Room on the disk: what is full, and a reserve to say so with."""

import errno
import os
import sqlite3
from pathlib import Path

from prunescope.engine.store import files

FILE = "ballast"
SIZE = 2 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Ballast:
    """2 MB on the disk that are given up when the disk is full, so that the head can still be saved."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.fill()

    def fill(self) -> None:
        """Take the reserve, if there is room for it."""
        try:
            if self._path.lstat().st_size == SIZE:
                return
        except OSError:
            pass
        try:
            # Random bytes: a file system that compresses would keep zeros in no room at all.
            files.replace(self._path, [os.urandom(SIZE)])
        except OSError:
            self.drop()

    def drop(self) -> None:
        """Give the reserve up."""
        self._path.unlink(missing_ok=True)


def is_full(error: Exception, folder: Path) -> bool:
    """Whether an error says that there is no room (or that a file may not grow)."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return False
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return True
    # Past a file-size limit SQLite only says "disk I/O error".
    return code in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE) and _no_growth(folder)


def _no_growth(folder: Path) -> bool:
    probe = folder / ".probe"
    try:
        files.replace(probe, [bytes(1 << 16)])
    except OSError as error:
        return error.errno in _FULL
    probe.unlink(missing_ok=True)
    return True  # a short file still fits, but the database could not grow
