"""A log directory of runs."""

import os
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prunescope.engine.store import files, manifest
from prunescope.engine.store.errors import RunExists, RunNotFound, StoreError
from prunescope.engine.store.locks import RunLock
from prunescope.engine.store.reading import Handles
from prunescope.engine.store.run import Run
from prunescope.engine.store.writer import RunWriter

TRASH = ".trash"
# Subfolders of a run that are made with it; the database comes with the first writer.
_SUBFOLDERS = ("control", "ckpt")


class Store:
    """All runs below one folder.

    Parameters
    ----------
    root : str or Path
        The log directory; made when the first run is, and empty until then.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._lock = threading.Lock()
        self._handles = Handles()
        self._open: dict[str, tuple[tuple[int, int], Run]] = {}

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def runs(self) -> list[Run]:
        """All runs, newest first. One that cannot be read is among them and says why in ``.error``."""
        try:
            names = [entry.name for entry in os.scandir(self.root)]
        except OSError:
            names = []
        found = [run for name in names if (run := self._handle(name)) is not None]
        with self._lock:
            for gone in set(self._open) - set(names):
                self._open.pop(gone)[1].close()
        return sorted(found, key=lambda run: (run.created, run.id), reverse=True)

    def run(self, run_id: str) -> Run:
        """A run by id; RunNotFound lists those there are."""
        run = self._handle(run_id)
        if run is None:
            known = [run.id for run in self.runs()]
            raise RunNotFound(f"no run {run_id!r} in {self.root}; there are {known or 'none yet'}")
        return run

    def create_run(
        self,
        config: Mapping[str, Any],
        *,
        name: str | None = None,
        run_id: str | None = None,
        kind: str = "train",
        parent: str | None = None,
    ) -> str:
        """Make the folder of a new run and return its id.

        Parameters
        ----------
        config : mapping
            JSON-able settings.
        name : str, optional
            Display name; the id is made of it, with a suffix when that is taken.
        run_id : str, optional
            An id of your own, ``[a-z0-9][a-z0-9._-]*`` of at most 64 characters.
        kind : str
            What makes the run: ``train``, ``record``, …
        parent : str, optional
            Id of the run that this one was made from.

        Raises
        ------
        RunExists
            If `run_id` is taken.
        StoreError
            If the id or the config is not valid, or the folder cannot be made.
        """
        if run_id is not None and not manifest.RUN_ID.fullmatch(run_id):
            raise StoreError(f"run id {run_id!r}: use a-z, 0-9, '.', '_' and '-', at most 64 characters")
        files.refuse_network(self.root)
        shown = manifest.clean_name(name or "") or run_id or "run"
        described = manifest.Manifest(
            name=shown, kind=kind, created=time.time(), parent=parent, config=dict(config)
        )
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            aside = self.root / f".new-{secrets.token_hex(8)}"
            aside.mkdir(mode=0o700)
        except OSError as error:
            raise StoreError(f"{self.root}: a run cannot be made here ({error.strerror})") from error
        try:
            for subfolder in _SUBFOLDERS:
                (aside / subfolder).mkdir(mode=0o700)
            manifest.write(aside, described)
            return self._place(aside, run_id, manifest.slug(name or "run"))
        except OSError as error:
            raise StoreError(f"{self.root}: a run cannot be made here ({error.strerror})") from error
        finally:
            _remove_new(aside)

    def writer(self, run_id: str, *, durable: bool = False) -> RunWriter:
        """The one writer of a run; RunLocked if it has one already."""
        path = self.run(run_id).path
        manifest.read(path)  # what cannot be described is not written on
        return RunWriter(path, durable=durable)

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another display name; its id stays."""
        cleaned = manifest.clean_name(name)
        if not cleaned:
            raise StoreError(f"name {name!r}: give at least one visible character")
        path = self.run(run_id).path
        try:
            files.replace(path / manifest.NAME_FILE, [cleaned.encode()])
        except OSError as error:
            raise StoreError(f"{run_id}: cannot be renamed ({error.strerror})") from error

    def delete(self, run_id: str) -> None:
        """Move a run to the trash; `restore` brings it back. RunLocked while it is written."""
        run = self.run(run_id)
        try:
            lock = RunLock(run.path)
            try:
                trash = self.root / TRASH
                trash.mkdir(mode=0o700, exist_ok=True)
                _make_way(trash, run_id)
                run.path.rename(trash / run_id)
            finally:
                lock.release()
        except OSError as error:
            raise StoreError(f"{run_id}: cannot be deleted ({error.strerror})") from error
        self._forget(run_id)

    def restore(self, run_id: str) -> None:
        """Bring a run back from the trash."""
        if run_id not in self.trash():
            raise RunNotFound(f"no run {run_id!r} in the trash; there are {self.trash() or 'none'}")
        if os.path.lexists(self.root / run_id):
            raise RunExists(f"a run {run_id!r} is there again; delete it first")
        try:
            (self.root / TRASH / run_id).rename(self.root / run_id)
        except OSError as error:
            raise StoreError(f"{run_id}: cannot be restored ({error.strerror})") from error

    def trash(self) -> list[str]:
        """Ids of deleted runs."""
        folder = self.root / TRASH
        if not files.is_folder(folder):
            return []
        return sorted(path.name for path in folder.iterdir() if manifest.RUN_ID.fullmatch(path.name))

    def empty_trash(self) -> None:
        """Delete the runs in the trash for good."""
        for run_id in self.trash():
            files.remove_tree(self.root / TRASH / run_id)

    def close(self) -> None:
        """Let go of all open files; reading opens them again."""
        with self._lock:
            for _, run in self._open.values():
                run.close()

    def _handle(self, name: str) -> Run | None:
        """The one `Run` of a folder, made anew when another folder took its name."""
        if not isinstance(name, str) or not manifest.RUN_ID.fullmatch(name):
            return None
        path = self.root / name
        try:
            found = os.lstat(path / manifest.FILE)
        except OSError:
            return None
        if not files.is_folder(path):  # a link could lead out of the log directory
            return None
        identity = (found.st_dev, found.st_ino)
        with self._lock:
            held = self._open.get(name)
            if held is None or held[0] != identity:
                if held is not None:
                    held[1].close()
                held = self._open[name] = (identity, Run(path, self._handles))
            return held[1]

    def _forget(self, run_id: str) -> None:
        with self._lock:
            held = self._open.pop(run_id, None)
        if held is not None:
            held[1].close()

    def _place(self, aside: Path, run_id: str | None, slug: str) -> str:
        """Rename the finished folder to a free id: a run appears whole."""
        for chosen in [run_id] if run_id else [slug, *(f"{slug}-{secrets.token_hex(2)}" for _ in range(50))]:
            if os.path.lexists(self.root / chosen) or os.path.lexists(self.root / TRASH / chosen):
                continue
            try:
                aside.rename(self.root / chosen)
            except OSError:  # taken in this very moment
                if os.path.lexists(self.root / chosen):
                    continue
                raise
            return chosen
        where = "" if os.path.lexists(self.root / str(run_id)) else "in the trash "
        raise RunExists(f"a run {run_id or slug!r} is {where}there already; choose another id")


def _make_way(trash: Path, run_id: str) -> None:
    """Free `run_id` in the trash, so that undoing the newest deletion brings the newest run back."""
    if os.path.lexists(trash / run_id):
        (trash / run_id).rename(trash / f"{run_id[:58]}-{secrets.token_hex(2)}")


def _remove_new(aside: Path) -> None:
    if files.is_folder(aside):
        files.remove_tree(aside)
