"""Where data are: the folder that a user names, or the user's cache. Imports no torch."""

import os
from pathlib import Path


def default_data_dir() -> Path:
    """Where downloads are kept when nobody says otherwise: in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "prunescope" / "data"


def as_folder(text: str | Path) -> Path:
    """The path that a user wrote, `~` included.

    Raises
    ------
    ValueError
        For the home of a user who does not exist.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{str(text)!r} names no folder ({error}): write the whole path.") from error
