"""What a browser that once had the token of a launch keeps, so that a restart does not lock its pages out.

The secret lies in the user's own state folder, never beside the runs: whoever copies or sends a folder of runs
gives nothing away, and a stranger's folder brings none along.
"""

import hashlib
import os
import secrets
import stat
import sys
from pathlib import Path

LENGTH = 43
"""32 random bytes in URL-safe base64."""


def remembered_session(logdir: Path) -> str:
    """The secret of this user for this folder of runs, made at the first call; "" where none can be kept safe.

    Not safe is a file that belongs to somebody else, that others can read, or that holds no whole secret.
    """
    name = hashlib.sha256(os.fsencode(logdir.resolve())).hexdigest()[:32]
    path = _state_folder() / "prunescope" / "sessions" / name
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _new(path) or _read(path)
    except (OSError, ValueError):
        return ""


def _new(path: Path) -> str:
    try:
        # Exclusive, and private from its first moment: nobody can have put the file or a link there.
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return ""
    with os.fdopen(handle, "w", encoding="ascii") as file:
        secret = secrets.token_urlsafe(32)
        file.write(secret)
    return secret


def _read(path: Path) -> str:
    with path.open(encoding="ascii") as file:
        facts = os.fstat(file.fileno())
        # Windows has other rules, and a profile folder that other users cannot open.
        private = os.name == "nt" or (facts.st_uid == os.getuid() and not stat.S_IMODE(facts.st_mode) & 0o077)
        secret = file.read(LENGTH + 1)
    return secret if private and len(secret) == LENGTH else ""


def _state_folder() -> Path:
    if os.name == "nt" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
