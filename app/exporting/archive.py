"""A run's folder as a ZIP, and back: what comes from a stranger is checked before it is placed among the runs."""

import re
import secrets
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from prunescope.app.exporting.collect import ExportError
from prunescope.engine.store import Run, Store, StoreError
from prunescope.engine.store.copying import copy_database

# What makes a run; locks, heartbeats, requests and the space kept free for emergencies belong to its machine.
VALUE = r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{1,64}\.val"
KEPT = re.compile(rf"run\.json|name|log\.txt|ckpt/[0-9]{{1,30}}\.ckpt|store/cache\.db|store/{VALUE}", re.ASCII)
DATABASE = "store/cache.db"
MOST_FILES = 100_000
# A run of 200 epochs of a large network; whoever has more copies the folder.
MOST_BYTES = 64 * 2**30
# Weights hardly compress; a file that says it does better than this is a trap.
MOST_RATIO = 400
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


def pack(run: Run, path: Path | IO[bytes]) -> None:
    """Write the run's folder to a ZIP; a run that is being written is packed as of its last snapshot.

    Raises
    ------
    ExportError
        If the run has no readable database.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "cache.db"
        try:
            values = copy_database(run.path, copy)
        except StoreError as error:
            raise ExportError(f"{error}. Look at prunescope runs show {run.id}.") from None
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
            for name in sorted(_names(run.path, {f"store/{name}" for name in values})):
                item = zipfile.ZipInfo(f"{run.id}/{name}", _EPOCH_OF_ZIP)
                item.compress_type = zipfile.ZIP_DEFLATED
                item.external_attr = 0o600 << 16
                origin = copy if name == DATABASE else run.path / name
                item.file_size = origin.stat().st_size
                with origin.open("rb") as data, target.open(item, "w") as sink:
                    shutil.copyfileobj(data, sink, _CHUNK)


def unpack(store: Store, path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Place the run inside a ZIP among the others, and return its id (another one if its own is taken).

    Raises
    ------
    ExportError
        If the file is no ZIP of a run, names anything outside its folder, or is too large.
    """
    try:
        with zipfile.ZipFile(path) as source:
            run_id, items = _checked(source, path, most_bytes)
            store.root.mkdir(parents=True, exist_ok=True)
            aside = store.root / f".import-{secrets.token_hex(8)}"
            try:
                return _extract(store, source, run_id, items, aside, most_bytes)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ExportError(f"{path}: this is no ZIP that can be read ({error}).") from None
    except OSError as error:
        raise ExportError(f"{path}: cannot be imported ({error.strerror or error}).") from None


def _names(folder: Path, values: set[str]) -> list[str]:
    """Files of a run folder that travel; of the value files those that the copied database knows."""
    files = [item for item in folder.rglob("*") if item.is_file() and not item.is_symlink()]
    found = [item.relative_to(folder).as_posix() for item in files]
    return [name for name in found if KEPT.fullmatch(name) and (not name.endswith(".val") or name in values)]


def _checked(source: zipfile.ZipFile, path: Path, most_bytes: int) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """The id and the files of the one run inside, judged by the ZIP's own list."""
    entries = [item for item in source.infolist() if not item.is_dir()]
    if not entries or len(entries) > MOST_FILES:
        raise ExportError(f"{path}: holds {len(entries)} files; a run has 1 to {MOST_FILES}.")
    if (size := sum(item.file_size for item in entries)) > most_bytes:
        raise ExportError(f"{path}: would take {size / 2**30:.1f} GiB, more than {most_bytes / 2**30:.1f}.")
    folders: set[str] = set()
    items: dict[str, zipfile.ZipInfo] = {}
    for item in entries:
        parts = PurePosixPath(item.filename).parts
        kind = stat.S_IFMT(item.external_attr >> 16)
        name = "/".join(parts[1:])
        if "\\" in item.filename or not KEPT.fullmatch(name) or kind not in (0, stat.S_IFREG) or name in items:
            raise ExportError(f"{path}: {item.filename[:80]!r} does not belong into a run. Nothing was imported.")
        if item.file_size > MOST_RATIO * max(item.compress_size, 1024):
            raise ExportError(f"{path}: {item.filename[:80]!r} would grow {MOST_RATIO}-fold. Nothing was imported.")
        folders.add(parts[0])
        items[name] = item
    run_id = next(iter(folders))
    if len(folders) != 1 or "run.json" not in items or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", run_id):
        raise ExportError(
            f"{path}: does not hold the folder of one run. Make it with prunescope export RUN --format zip."
        )
    return run_id, items


def _extract(
    store: Store, source: zipfile.ZipFile, run_id: str, items: dict[str, zipfile.ZipInfo], aside: Path, most_bytes: int
) -> str:
    # Beside the others first, and read there as any run is: only what opens is placed.
    folder = aside / run_id
    for sub in ("store", "ckpt", "control"):
        (folder / sub).mkdir(parents=True, mode=0o700)
    left = most_bytes
    for name, item in items.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with source.open(item) as data, (folder / name).open("xb") as sink:
            # What the list says of sizes is the stranger's word; what arrives is counted.
            while chunk := data.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise ExportError(f"{item.filename[:80]!r} is larger than it said. Nothing was imported.")
                sink.write(chunk)
    found = Store(aside).run(run_id)
    try:
        if found.error:
            raise ExportError(f"{run_id}: {found.error} Nothing was imported.")
        if len(found.epochs):
            for layer in found.layers:
                found.weights(layer.name, float(found.epochs[-1]))
    except StoreError as error:
        raise ExportError(f"{run_id}: {error} Nothing was imported.") from None
    finally:
        found.close()
    for attempt in range(1, 1000):
        placed = run_id if attempt == 1 else f"{run_id[:58]}-{attempt}"
        if not (store.root / placed).exists():
            folder.rename(store.root / placed)
            return placed
    raise ExportError(f"{run_id}: this id is taken a thousand times. Delete some of them.")
