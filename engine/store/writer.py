"""Writing a run: one writer, whole snapshots, nothing ever overwritten but the head."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

import diskcache
import numpy as np
from numpy.typing import NDArray

from prunescope.engine.store import checkpoints, control, disk, files, keys, records
from prunescope.engine.store.errors import NotDeterministic, RunDamaged, StoreError, StoreFull
from prunescope.engine.store.head import LONGEST_MESSAGE, STATES, Head, better
from prunescope.engine.store.layers import LayerInfo
from prunescope.engine.store.locks import RunLock
from prunescope.engine.store.room import Ballast, is_full
from prunescope.engine.store.run import DATA_FILE
from prunescope.engine.store.snapshots import unpack_declaration
from prunescope.engine.store.status import Heartbeat, heartbeat_age

STORE = "store"
# A request left after the last writer's last heartbeat is for the next writer; an older one was for the last.
_STALE_REQUEST = 2.0
_ROW = "SELECT mode, filename, value FROM Cache WHERE key=? AND raw=1"

Result = TypeVar("Result")


class RunWriter:
    """The only writer of a run, from `Store.writer` until `close`; a context manager.

    Its methods may be called from several threads, one at a time.

    Parameters
    ----------
    path : Path
        The run folder.
    durable : bool
        Make every commit survive a power cut, not only a kill. Otherwise that holds up to the last
        checkpoint (`Head.durable_epoch` says it).

    Raises
    ------
    RunLocked
        If another writer has the run.
    RunDamaged
        If the folder is not one that this product wrote.
    StoreError
        If the folder is on a network file system, or the database stays locked by a stranger.
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        files.refuse_network(path)
        self.path = path
        self._durable = durable
        self._mutex = threading.RLock()
        self._closed = False
        last_beat = time.time() - heartbeat_age(path)
        self._run_lock = RunLock(path)
        try:
            self._ballast = Ballast(path)
            self._folder = path / STORE
            self._cache = self._reporting_full("open the run", self._open)
            self._head = Head.unpack(self._bytes_of(keys.HEAD), path.name)
            self._layers = self._declared_layers()
            self._unsynced: list[str] = []
            control.take(path, since=last_beat + _STALE_REQUEST)
            self._heartbeat = Heartbeat(path)
        except BaseException:
            self._run_lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Close; when the block failed and had not said how it ended, say so."""
        try:
            if error is not None and self._head.state in ("queued", "running", "paused"):
                stopped = isinstance(error, KeyboardInterrupt)
                with suppress(StoreError):
                    self.set_state("stopped" if stopped else "failed", "" if stopped else f"{kind.__name__}: {error}")
        finally:
            self.close()

    @property
    def head(self) -> Head:
        """How far the run is."""
        return self._head

    def declare(self, layers: Sequence[LayerInfo], *, total_epochs: float | None, meta: Mapping[str, Any] = {}) -> None:
        """Say what will be recorded; on resume, say it again.

        Parameters
        ----------
        layers : sequence of LayerInfo
        total_epochs : float or None
            May differ on resume: a run can be made longer.
        meta : mapping
            JSON-able facts for `Run.meta`; those given first stay.

        Raises
        ------
        StoreError
            If other layers were declared before, or `meta` is not JSON-able.
        """
        layers = tuple(layers)
        if self._layers and layers != self._layers:
            raise StoreError(
                f"{self.path.name}: was recorded with layers {[layer.name for layer in self._layers]}, "
                f"now {[layer.name for layer in layers]} or other shapes. Record under another name."
            )
        values: dict[str, records.Record] = {}
        if not self._layers:
            try:
                values[keys.LAYERS] = records.pack_json(
                    {"layers": [layer.to_dict() for layer in layers], "meta": dict(meta)}
                )
            except (TypeError, ValueError) as error:
                raise StoreError(f"meta: {error}; give numbers, text, lists and dicts only") from None
        if values or total_epochs != self._head.total_epochs:
            self._write("declare the layers", values, total_epochs=total_epochs)
        self._layers = layers

    def commit(self, epoch: float, tensors: Mapping[str, NDArray[Any]], metrics: Mapping[str, float]) -> int:
        """Store one snapshot: all of it, or nothing.

        Parameters
        ----------
        epoch : float
            After all epochs before; 0 is the initialisation.
        tensors : mapping of str to array
            The whole state dict. Weights of declared layers are kept as weight vectors, the rest as they are.
        metrics : mapping of str to float

        Returns
        -------
        int
            The new version.

        Raises
        ------
        NotDeterministic
            If this epoch is stored already with other tensors. Equal ones are accepted quietly.
        StoreFull
            If there is no room; everything committed before stays readable.
        StoreError
            If the tensors do not fit the declared layers, or the epoch is out of order.
        """
        key = keys.epoch_key(epoch)
        with self._mutex:
            values = self._packed(key, tensors, metrics)
            last = None if self._head.epoch is None else keys.epoch_key(self._head.epoch)
            if last is not None and key <= last:
                self._compare(key, values)
                return self._head.version
            epoch = keys.key_epoch(key)
            floats = records.unpack_json(values[keys.metrics_key(key)].joined(), "metrics", key)
            return self._write(
                f"save epoch {epoch:g}",
                values,
                epoch=epoch,
                n_snapshots=self._head.n_snapshots + 1,
                best=better(self._head.best, floats, epoch),
                **({"durable_epoch": epoch} if self._durable else {}),
            )

    def set_state(self, state: str, message: str = "") -> None:
        """Say what the run is doing: ``running``, ``paused``, ``done``, ``stopped``, ``failed`` or ``queued``."""
        if state not in STATES:
            raise StoreError(f"state {state!r}: choose from {', '.join(STATES)}")
        self._write(f"note the state {state!r}", {}, state=state, message=str(message)[:LONGEST_MESSAGE])

    def requests(self) -> list[str]:
        """Requests that came since the last call, oldest first."""
        return control.take(self.path)

    def save_checkpoint(self, payload: bytes, epoch: float) -> None:
        """Keep what training needs to go on after `epoch`; every snapshot so far is made durable first.

        The other order lost snapshots for ever: training went on after a checkpoint that they did not reach.
        """
        with self._mutex:
            self.make_durable()
            self._reporting_full(
                f"save the checkpoint of epoch {epoch:g}",
                lambda: checkpoints.save(self.path / checkpoints.FOLDER, payload, epoch),
            )

    def load_checkpoint(self) -> tuple[float, bytes] | None:
        """Epoch and payload of the newest checkpoint that is whole, or None."""
        return checkpoints.load(self.path / checkpoints.FOLDER)

    def save_evaluation_data(self, inputs: NDArray[Any], targets: NDArray[Any]) -> None:
        """Keep the examples on which accuracy is measured later; `Run.evaluation_data` gives them back."""
        record = records.pack_bundle({"inputs": np.asarray(inputs), "targets": np.asarray(targets)}, records.NO_EPOCH)
        self._reporting_full("save the data", lambda: files.replace(self.path / DATA_FILE, record.parts))

    def make_durable(self) -> None:
        """Let everything committed so far survive a power cut. `Head.durable_epoch` says so afterwards."""
        with self._mutex:
            if self._head.durable_epoch == self._head.epoch:
                return
            self._sync(self._unsynced)
            # The log, not a checkpoint of it: its frames carry checksums and are replayed after a power cut.
            files.sync(self._folder / f"{disk.DATABASE}-wal")
            files.sync(self._folder / disk.DATABASE)
            files.sync(self._folder)
            files.sync(self.path)
            self._unsynced = []
            self._write("note what is durable", {}, durable_epoch=self._head.epoch)

    def close(self) -> None:
        """Let go of the run; a second call does nothing."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            try:
                # So that an archive of the folder is one database file.
                with suppress(sqlite3.Error):
                    self._cache._sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                self._cache.close()
            finally:
                self._heartbeat.stop()
                self._run_lock.release()

    def _open(self) -> diskcache.Cache:
        for leftover in self.path.glob(".store-*"):
            if files.is_folder(leftover):
                shutil.rmtree(leftover)
        checkpoints.remove_leftovers(self.path / checkpoints.FOLDER)
        if not files.is_folder(self._folder):
            self._create()
        cache = disk.open_cache(self._folder, durable=self._durable)
        disk.remove_orphans(cache, self._folder)
        return cache

    def _create(self) -> None:
        """Make the database aside and rename it, so that readers never meet a half-made one."""
        aside = self.path / f".store-{time.time_ns()}"
        aside.mkdir(mode=0o700)
        cache = disk.open_cache(aside)
        with cache.transact():
            cache.set(keys.SCHEMA, records.pack_json({"format": 1}))
            cache.set(keys.HEAD, Head(updated=time.time()).pack())
        cache.close()
        aside.rename(self._folder)

    def _declared_layers(self) -> tuple[LayerInfo, ...]:
        rows = self._cache._sql(_ROW, (keys.LAYERS,)).fetchall()
        if not rows:
            return ()
        return unpack_declaration(self._bytes_of(keys.LAYERS), self.path.name)[0]

    def _bytes_of(self, key: str) -> bytes:
        rows = self._cache._sql(_ROW, (key,)).fetchall()
        if len(rows) != 1:
            raise RunDamaged(f"{self.path.name}: {key} is missing")
        return self._cache.disk.fetch(*rows[0], False)

    def _packed(
        self, key: int, tensors: Mapping[str, NDArray[Any]], metrics: Mapping[str, float]
    ) -> dict[str, records.Record]:
        others = dict(tensors)
        values: dict[str, records.Record] = {}
        for index, layer in enumerate(self._layers):
            weight = others.get(layer.weight_name)
            if weight is None or weight.shape != layer.shape:
                shape = "absent" if weight is None else f"of shape {weight.shape}"
                raise StoreError(f"tensor {layer.weight_name!r} is {shape}; declared as {layer.shape}")
            rows = np.asarray(weight).reshape(layer.units, layer.fan_in)
            values[keys.weights_key(index, key)] = records.pack_rows(rows, layer.dtype, index, key)
            # A model of another dtype also keeps its exact weights: float32 rows would change what is loaded.
            if weight.dtype == np.float32 or layer.dtype == "float16":
                del others[layer.weight_name]
        values[keys.state_key(key)] = records.pack_bundle(others, key, order=list(tensors))
        values[keys.metrics_key(key)] = records.pack_json(_floats(metrics), key)
        return values

    def _compare(self, key: int, values: Mapping[str, records.Record]) -> None:
        """An epoch computed again must give the same tensors; metrics may hold times and are not compared."""
        epoch = keys.key_epoch(key)
        if not self._cache._sql(_ROW, (keys.state_key(key),)).fetchall():
            raise StoreError(f"epoch {epoch:g}: comes after epoch {self._head.epoch:g}; epochs must increase")
        for name, record in values.items():
            if name != keys.metrics_key(key) and self._bytes_of(name) != record.joined():
                raise NotDeterministic(
                    f"{self.path.name}: this run is not deterministic: epoch {epoch:g} differs ({name}). "
                    "Same seed, threads, machine and versions give the same weights; record under another name."
                )

    def _write(self, what: str, values: Mapping[str, records.Record], **changes: Any) -> int:
        """All values and the new head in one transaction; the files of a failed one are removed."""
        with self._mutex:
            if self._closed:
                raise StoreError(f"{self.path.name}: the writer is closed")
            head = replace(self._head, version=self._head.version + 1, updated=time.time(), **changes)

            def write() -> None:
                self._cache.disk.take_written()
                try:
                    with self._cache.transact():
                        disk.restore_settings(self._cache)
                        for key, record in values.items():
                            self._cache.set(key, record)
                        if self._durable:
                            self._sync(self._cache.disk.written)
                        self._cache.set(keys.HEAD, head.pack())
                except BaseException:
                    for name in self._cache.disk.take_written():
                        (self._folder / name).unlink(missing_ok=True)
                    raise

            self._reporting_full(what, write)
            self._head = head
            self._unsynced += self._cache.disk.take_written()
            return head.version

    def _reporting_full(self, what: str, act: Callable[[], Result]) -> Result:
        """Run `act`; no room becomes StoreFull, noted in the head with the room of the ballast."""
        try:
            return act()
        except diskcache.Timeout:
            raise StoreError(f"{self.path.name}: cannot {what}: another program keeps the database locked") from None
        except (OSError, sqlite3.Error) as error:
            if not is_full(error, self.path):
                raise StoreError(f"{self.path.name}: cannot {what}: {error}") from error
            self._ballast.drop()
            message = f"The disk is full: cannot {what}. Everything before is kept. Free some space, then resume."
            self._note_full(message)
            raise StoreFull(f"{self.path.name}: {message}") from error

    def _note_full(self, message: str) -> None:
        head = replace(
            self._head, version=self._head.version + 1, updated=time.time(), state="failed", message=message
        )
        with suppress(OSError, sqlite3.Error, diskcache.Timeout, AttributeError):
            self._cache.set(keys.HEAD, head.pack())
            self._head = head

    def _sync(self, names: Sequence[str]) -> None:
        for name in names:
            files.sync(self._folder / name)
        for folder in {part for name in names for part in (name[:5], name[:2])}:
            files.sync(self._folder / folder)
        if names:
            files.sync(self._folder)


def _floats(metrics: Mapping[str, float]) -> dict[str, float]:
    floats = {}
    for name, value in metrics.items():
        try:
            floats[str(name)] = float(value)
        except (TypeError, ValueError):
            raise StoreError(f"metric {name!r}: {value!r} is not a number") from None
    return floats
