"""Checkpoints of a training process: replaced whole, the previous one kept, checked before use."""

import os
import re
from pathlib import Path

from prunescope.engine.store import files, records
from prunescope.engine.store.errors import StoreError
from prunescope.engine.store.keys import epoch_key, key_epoch

FOLDER = "ckpt"
_KEPT = 2
_NAME = re.compile(r"(\d{15})\.ckpt")


def save(folder: Path, payload: bytes, epoch: float) -> None:
    """Write a checkpoint: temporary file, fsync, rename, fsync of the folder. OSError if it cannot be written.

    In place, 39 of 40 kills left it unreadable.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    if not files.is_folder(folder):
        raise StoreError(f"{folder}: not a folder; a run folder holds no links")
    key = epoch_key(epoch)
    header = records.Header(records.CHECKPOINT, records.NO_LAYER, key, len(payload), 0)
    files.replace(folder / f"{key:015d}.ckpt", records.pack(header, [payload]).parts, durable=True)
    for old in _newest_first(folder)[_KEPT:]:
        (folder / old).unlink(missing_ok=True)


def load(folder: Path) -> tuple[float, bytes] | None:
    """Epoch and payload of the newest checkpoint that is whole, or None if there is none."""
    for name in _newest_first(folder):
        key = int(name[:15])
        try:
            with open(files.open_regular(folder / name), "rb") as file:
                data = records.read_file(file, os.fstat(file.fileno()).st_size, name)
            payload = records.unpack(data, records.CHECKPOINT, records.NO_LAYER, key, name)
        except (OSError, StoreError):
            continue
        return key_epoch(key), bytes(payload)
    return None


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of a writer that was killed."""
    if files.is_folder(folder):
        for path in folder.glob(".tmp-*"):
            path.unlink(missing_ok=True)


def _newest_first(folder: Path) -> list[str]:
    if not files.is_folder(folder):
        return []
    return sorted((path.name for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)
