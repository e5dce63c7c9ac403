"""``run.json``: what a run is. Written once, with a checksum, when the run is made."""

import json
import re
import unicodedata
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prunescope.engine.store import files
from prunescope.engine.store.errors import RunDamaged, StoreError

FILE = "run.json"
NAME_FILE = "name"
FORMAT = 1
RUN_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What never changes about a run."""

    name: str
    kind: str = "train"
    created: float = 0.0
    parent: str | None = None
    config: dict[str, Any] = field(default_factory=dict)


def write(folder: Path, manifest: Manifest) -> None:
    """Write ``run.json``.

    Raises
    ------
    StoreError
        If the config holds something that JSON has no word for.
    """
    try:
        body = json.dumps(vars(manifest), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise StoreError(f"config: {error}; give numbers, text, lists and dicts only") from None
    text = json.dumps(
        {"format": FORMAT, "crc32": zlib.crc32(body.encode()), "run": json.loads(body)}, indent=1
    )
    files.replace(folder / FILE, [text.encode()])


def read(folder: Path) -> Manifest:
    """Read ``run.json``; RunDamaged if it is not what `write` wrote."""
    what = f"{folder.name}/{FILE}"
    try:
        outer = json.loads(files.read_small(folder / FILE, 1 << 22))
        version, body = outer["format"], outer["run"]
        if version != FORMAT:
            raise RunDamaged(f"{what}: format {version!r}; this release reads {FORMAT}. Update prunescope.")
        if zlib.crc32(json.dumps(body, sort_keys=True).encode()) != outer["crc32"]:
            raise RunDamaged(f"{what}: does not match its checksum; it was altered or cut")
        manifest = Manifest(**body)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunDamaged(f"{what}: not a description of a run ({error})") from None
    texts = all(isinstance(text, str) for text in (manifest.name, manifest.kind, manifest.parent or ""))
    if not texts or not isinstance(manifest.config, dict) or not isinstance(manifest.created, int | float):
        raise RunDamaged(f"{what}: fields of the wrong type")
    return manifest


def read_name(folder: Path, otherwise: str) -> str:
    """Display name of a run: the one given last, else `otherwise`."""
    try:
        text = files.read_small(folder / NAME_FILE, 4 * _LONGEST_NAME).decode(errors="replace").strip()
    except (OSError, StoreError):
        return otherwise
    return clean_name(text) or otherwise


def clean_name(name: str) -> str:
    """A display name on one line, without control characters, of at most 200 characters."""
    visible = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in name)
    return " ".join(visible.split())[:_LONGEST_NAME]


def slug(name: str) -> str:
    """A run id made of a name: lower-case ASCII letters, digits, dots and dashes."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", ascii_only).strip("-._")[:48].rstrip("-._") or "run"
