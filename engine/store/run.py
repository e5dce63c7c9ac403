"""Reading a run, while it is written or years later."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.store import control, files, keys, manifest, records, snapshots, status
from prunescope.engine.store.errors import EpochNotFound, LayerNotFound, RunDamaged, StoreError
from prunescope.engine.store.head import Head
from prunescope.engine.store.layers import LayerInfo
from prunescope.engine.store.reading import Database, Handles, settled

if TYPE_CHECKING:
    import torch

DATA_FILE = "evaluation.data"
LOG_FILE = "log.txt"
_HEAD = "SELECT value FROM Cache WHERE key='head' AND raw=1"
_METRICS = "SELECT key, mode, filename, value FROM Cache WHERE key > ? AND key < 'm0' AND raw=1 ORDER BY key"
_LAYERS = "SELECT key, mode, filename, value FROM Cache WHERE key='meta/layers' AND raw=1"
_TAIL_BYTES = 1 << 16

Result = TypeVar("Result")
Declaration = tuple[tuple[LayerInfo, ...], dict[str, Any]]
_UNDECLARED: Declaration = ((), {})


class Run:
    """One run: a reader that never writes, safe to use from many threads.

    Everything reads the present state; `version` is the cheap question whether anything is new.
    A run that cannot be read says so in `error`; its other properties are then empty.
    """

    def __init__(self, path: Path, handles: Handles | None = None) -> None:
        self.id = path.name
        self.path = path
        self._database = Database(path / "store", handles or Handles())
        self._seen: tuple[object, ...] | None = None
        self._lock = threading.RLock()
        self._manifest_error: str | None = None
        self._head_bytes, self._head = b"", Head()
        self._rows: list[tuple[int, dict[str, float]]] = []
        self._epochs, self._known = _frozen([]), set[int]()
        self._declared: Declaration | None = None
        self._manifest = manifest.Manifest(name=path.name)
        try:
            self._manifest = manifest.read(path)
        except StoreError as error:
            self._manifest_error = str(error)
        self._error = self._manifest_error

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    @property
    def name(self) -> str:
        """Display name."""
        return manifest.read_name(self.path, self._manifest.name)

    @property
    def kind(self) -> str:
        """What made it: train, record, …"""
        return self._manifest.kind

    @property
    def created(self) -> float:
        """Unix seconds."""
        return float(self._manifest.created)

    @property
    def parent(self) -> str | None:
        """Id of the run it was made from."""
        return self._manifest.parent

    @property
    def config(self) -> dict[str, Any]:
        """Settings, as given when it was made."""
        return dict(self._manifest.config)

    @property
    def error(self) -> str | None:
        """Why this run, or a part of it, cannot be read; None as long as nothing was found."""
        if self._error is None:
            try:
                self._reporting(self._catch_up)
            except StoreError as error:
                return str(error)
        return self._error

    @property
    def version(self) -> int:
        """A number that moves on with every commit and change of state."""
        return self.head.version

    @property
    def head(self) -> Head:
        """How far the run is: one read of one small record."""
        return self._or_empty(self._read_head, self._head)

    @property
    def status(self) -> str:
        """See `status.run_status`; a run that cannot be read is ``failed``."""
        state = self.head.state
        return "failed" if self._error and not self._head_bytes else status.run_status(self.path, state)

    @property
    def epochs(self) -> NDArray[np.float64]:
        """Committed epochs, shape (n,), increasing; not writeable."""
        return self._or_empty(self._catch_up, self._epochs)

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The recorded layers; empty until the writer has declared them."""
        return self._or_empty(self._declaration, _UNDECLARED)[0]

    @property
    def meta(self) -> dict[str, Any]:
        """What the writer declared besides the layers."""
        return dict(self._or_empty(self._declaration, _UNDECLARED)[1])

    def layer(self, name: str) -> LayerInfo:
        """A layer by name; LayerNotFound lists those there are."""
        return self._reporting(lambda: self._declaration()[0][self._index(name)])

    def weights(self, layer: str, epoch: float) -> NDArray[np.float32]:
        """Weight vectors of one layer at one epoch, shape (units, fan_in).

        Raises
        ------
        LayerNotFound, EpochNotFound
            Naming what there is.
        RunDamaged
            If the snapshot is missing, cut, altered or another one.
        """
        return self._reporting(lambda: self._rows_of(layer, self._key(epoch), self._key(epoch)))[0]

    def trajectory(self, layer: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Weight vectors of one layer at ``epochs[start:stop]``, shape (epochs, units, fan_in).

        One query for all rows, then each file straight into its place in the result.
        """
        return self._reporting(lambda: self._trajectory(layer, start, stop))

    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """Name → values over `epochs`, nan where an epoch has none."""
        epochs = self.epochs
        rows = self._rows[: len(epochs)]
        names = dict.fromkeys(name for _, metrics in rows for name in metrics)
        return {name: np.array([metrics.get(name, np.nan) for _, metrics in rows]) for name in names}

    def arrays(self, epoch: float) -> dict[str, NDArray[Any]]:
        """Every tensor of the model at one epoch, by its name in the state dict."""
        return self._reporting(
            lambda: snapshots.read_all(self._database, self._declaration()[0], self._key(epoch))
        )

    def state_dict(self, epoch: float) -> "dict[str, torch.Tensor]":
        """The model's state dict at one epoch, ready for ``load_state_dict``."""
        import torch

        return {name: torch.from_numpy(array) for name, array in self.arrays(epoch).items()}

    def evaluation_data(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Inputs and targets stored with the run, or None."""
        return self._reporting(lambda: snapshots.read_examples(self.path / DATA_FILE))

    def request(self, action: str) -> None:
        """Ask the writer to ``pause``, ``resume`` or ``stop``."""
        control.send(self.path, action)

    def log_tail(self, n: int = 20) -> list[str]:
        """Last lines of the worker's log, oldest first; empty if there is none."""
        try:
            with os.fdopen(files.open_regular(self.path / LOG_FILE), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                return file.read(_TAIL_BYTES).decode(errors="replace").splitlines()[-n:]
        except (OSError, StoreError):
            return []

    def verify(self) -> list[str]:
        """Read every byte that was committed, anew; one sentence for each thing that is wrong."""
        self.close()  # also forgets which files passed their check before
        self._error = self._manifest_error
        problems = [self.error] if self.error else []
        for epoch in self.epochs.tolist():
            try:
                self.arrays(epoch)
            except StoreError as error:
                problems.append(str(error))
        return list(dict.fromkeys(problems))

    def close(self) -> None:
        """Let go of the open files; reading opens them again."""
        self._database.close()

    def _read_head(self) -> Head:
        seen = None
        if not self._database.is_open:
            if not self._database.exists():
                return self._head
            seen = self._database.signature()
            if seen == self._seen:  # closed to save handles, and not written since
                return self._head
        rows = self._database.select(_HEAD)
        if len(rows) != 1 or not isinstance(rows[0][0], bytes):
            raise RunDamaged(f"{self.id}: the head is missing")
        if rows[0][0] != self._head_bytes:
            with self._lock:
                self._head, self._head_bytes = Head.unpack(rows[0][0], self.id), rows[0][0]
        # Only now: another thread that finds these files "seen" takes the head that was read from them.
        if seen is not None:
            self._seen = seen if settled(seen) else None
        return self._head

    def _catch_up(self) -> NDArray[np.float64]:
        """Read the metrics rows that came since the last call; their keys are the epochs."""
        head = self._read_head()
        with self._lock:
            if head.n_snapshots > len(self._rows):
                last = keys.metrics_key(self._rows[-1][0]) if self._rows else "m/"
                for key, *value in self._database.select(_METRICS, (last,)):
                    epoch = keys.epoch_of(key)
                    if epoch is None:
                        raise RunDamaged(f"{self.id}: the key {str(key)[:80]!r} is no epoch")
                    what = f"{self.id}: metrics of epoch {keys.key_epoch(epoch):g}"
                    data = snapshots.value_bytes(self._database, value, what)
                    self._known.add(epoch)
                    self._rows.append((epoch, records.unpack_json(data, what, epoch)))
                self._epochs = _frozen([keys.key_epoch(epoch) for epoch, _ in self._rows])
                if len(self._rows) < head.n_snapshots:
                    raise RunDamaged(
                        f"{self.id}: {head.n_snapshots} snapshots committed, {len(self._rows)} found"
                    )
            return self._epochs

    def _declaration(self) -> Declaration:
        if self._declared is None:
            rows = self._database.select(_LAYERS) if self._database.exists() else []
            if not rows:
                if self._read_head().n_snapshots:
                    raise RunDamaged(f"{self.id}: the declaration of the layers is missing")
                return _UNDECLARED
            data = snapshots.value_bytes(self._database, rows[0][1:], f"{self.id}: declaration of the layers")
            self._declared = snapshots.unpack_declaration(data, self.id)
        return self._declared

    def _index(self, name: str) -> int:
        names = [layer.name for layer in self._declaration()[0]]
        if name not in names:
            raise LayerNotFound(f"{self.id}: no layer {name!r}; there are {names}")
        return names.index(name)

    def _key(self, epoch: float) -> int:
        key, epochs = keys.epoch_key(epoch), self._catch_up()
        if key not in self._known:
            known = f"{len(epochs)} from {epochs[0]:g} to {epochs[-1]:g}" if len(epochs) else "none yet"
            raise EpochNotFound(f"{self.id}: no snapshot of epoch {epoch:g}; there are {known}")
        return key

    def _trajectory(self, layer: str, start: int, stop: int | None) -> NDArray[np.float32]:
        self._catch_up()
        wanted = [epoch for epoch, _ in self._rows[start:stop]]
        if not wanted:
            info = self.layer(layer)
            return np.empty((0, info.units, info.fan_in), np.float32)
        return self._rows_of(layer, wanted[0], wanted[-1])

    def _rows_of(self, layer: str, first: int, last: int) -> NDArray[np.float32]:
        index = self._index(layer)
        wanted = [epoch for epoch, _ in self._rows if first <= epoch <= last]
        return snapshots.read_rows(self._database, self._declaration()[0][index], index, wanted)

    def _reporting(self, read: Callable[[], Result]) -> Result:
        """Run `read`; damage it finds also becomes this run's `error`."""
        try:
            return read()
        except RunDamaged as error:
            self._error = str(error)
            raise

    def _or_empty(self, read: Callable[[], Result], empty: Result) -> Result:
        """Run `read`, or give `empty`: one bad run must not stop the list of all; `error` says why."""
        try:
            return self._reporting(read)
        except StoreError:
            return empty


def _frozen(epochs: list[float]) -> NDArray[np.float64]:
    array = np.array(epochs, dtype=np.float64)
    array.setflags(write=False)
    return array
