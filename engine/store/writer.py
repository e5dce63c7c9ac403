"""Writing a run: one writer, whole snapshots, nothing ever overwritten but the head."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.store import checkpoints, control, files, keys, records
from prunescope.engine.store.errors import NotDeterministic, RunDamaged, StoreError
from prunescope.engine.store.head import LONGEST_MESSAGE, STATES, Head, better
from prunescope.engine.store.layers import LayerInfo
from prunescope.engine.store.ledger import Ledger
from prunescope.engine.store.locks import RunLock
from prunescope.engine.store.packing import as_floats, pack_snapshot
from prunescope.engine.store.run import DATA_FILE
from prunescope.engine.store.snapshots import unpack_declaration
from prunescope.engine.store.status import Heartbeat, heartbeat_age

# A request left after the last writer's last heartbeat is for the next writer; an older one was for the last.
_STALE_REQUEST = 2.0


class RunWriter:
    """The only writer of a run, from `Store.writer` until `close`; a context manager.

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
    StoreFull
        If there is no room to open it.
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
            self._ledger = Ledger(path, durable=durable)
        except BaseException:
            self._run_lock.release()
            raise
        try:
            checkpoints.remove_leftovers(path / checkpoints.FOLDER)
            control.take(path, before=last_beat + _STALE_REQUEST)
            declared = self._ledger.value(keys.LAYERS)
            self._layers = unpack_declaration(declared, path.name)[0] if declared else None
            self._heartbeat = Heartbeat(path)
        except BaseException:
            self._ledger.close()
            self._run_lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Close; when the block failed and had not said how it ended, say so."""
        try:
            if error is not None and self.head.state in ("queued", "running", "paused"):
                stopped = isinstance(error, KeyboardInterrupt)
                with suppress(StoreError):
                    self.set_state(
                        *(("stopped",) if stopped else ("failed", f"{type(error).__name__}: {error}"))
                    )
        finally:
            self.close()

    @property
    def head(self) -> Head:
        """How far the run is."""
        return self._ledger.head

    def declare(
        self,
        layers: Sequence[LayerInfo],
        *,
        total_epochs: float | None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
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
        declared = tuple(layers)
        with self._mutex:
            self._check_open()
            if self._layers is not None and declared != self._layers:
                raise StoreError(
                    f"{self.path.name}: was recorded with layers {[layer.name for layer in self._layers]}, "
                    f"now {[layer.name for layer in declared]} or other shapes. Record under another name."
                )
            values = {keys.LAYERS: _declaration(declared, meta or {})} if self._layers is None else {}
            if values or total_epochs != self.head.total_epochs:
                self._ledger.write("declare the layers", values, total_epochs=total_epochs)
            self._layers = declared

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
            self._check_open()
            if self._layers is None:
                raise StoreError(f"{self.path.name}: declare the layers before the first commit")
            head = self.head
            values = pack_snapshot(self._layers, key, tensors, metrics)
            if head.epoch is not None and key <= keys.epoch_key(head.epoch):
                self._compare(key, values)
                return head.version
            epoch = keys.key_epoch(key)
            changes: dict[str, Any] = {
                "epoch": epoch,
                "n_snapshots": head.n_snapshots + 1,
                "best": better(head.best, as_floats(metrics), epoch),
            }
            if self._durable:
                changes["durable_epoch"] = epoch
            return self._ledger.write(f"save epoch {epoch:g}", values, **changes)

    def set_state(self, state: str, message: str = "") -> None:
        """Say what the run is doing: queued, running, paused, done, stopped or failed."""
        if state not in STATES:
            raise StoreError(f"state {state!r}: choose from {', '.join(STATES)}")
        with self._mutex:
            self._check_open()
            self._ledger.write(f"note {state!r}", {}, state=state, message=str(message)[:LONGEST_MESSAGE])

    def requests(self) -> list[str]:
        """Requests that came since the last call, oldest first."""
        return control.take(self.path)

    def save_checkpoint(self, payload: bytes, epoch: float) -> None:
        """Keep what training needs to go on after `epoch`; every snapshot so far is made durable first.

        The other order lost snapshots for ever: training went on after a checkpoint that they did not reach.
        """
        with self._mutex:
            self.make_durable()
            self._ledger.guarded(
                f"save the checkpoint of epoch {epoch:g}",
                lambda: checkpoints.save(self.path / checkpoints.FOLDER, payload, epoch),
            )

    def load_checkpoint(self) -> tuple[float, bytes] | None:
        """Epoch and payload of the newest checkpoint that is whole, or None."""
        return checkpoints.load(self.path / checkpoints.FOLDER)

    def save_evaluation_data(self, inputs: NDArray[Any], targets: NDArray[Any]) -> None:
        """Keep the examples on which accuracy is measured later; `Run.evaluation_data` gives them back."""
        arrays = {"inputs": np.asarray(inputs), "targets": np.asarray(targets)}
        record = records.pack_bundle(arrays, records.NO_EPOCH)
        with self._mutex:
            self._ledger.guarded("save the data", lambda: files.replace(self.path / DATA_FILE, record.parts))

    def make_durable(self) -> None:
        """Let everything committed so far survive a power cut. `Head.durable_epoch` says so afterwards."""
        with self._mutex:
            self._check_open()
            self._ledger.guarded("make the snapshots durable", self._ledger.make_durable)

    def close(self) -> None:
        """Let go of the run; a second call does nothing."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            try:
                self._ledger.close()
            finally:
                self._heartbeat.stop()
                self._run_lock.release()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path.name}: the writer is closed; ask the store for another")

    def _compare(self, key: int, values: Mapping[str, records.Record]) -> None:
        """An epoch computed again must give the same tensors; metrics may hold times and are not compared."""
        epoch = keys.key_epoch(key)
        if self._ledger.value(keys.metrics_key(key)) is None:
            raise StoreError(f"epoch {epoch:g}: comes after epoch {self.head.epoch:g}; epochs must increase")
        for name, record in values.items():
            if name == keys.metrics_key(key):
                continue
            stored = self._ledger.value(name)
            if stored is None:
                raise RunDamaged(f"{self.path.name}: {name} of epoch {epoch:g} is missing")
            if stored != record.joined():
                raise NotDeterministic(
                    f"{self.path.name}: this run is not deterministic: epoch {epoch:g} differs ({name}). "
                    "Keep seed, threads, machine and versions, or record under another name."
                )


def _declaration(layers: Sequence[LayerInfo], meta: Mapping[str, Any]) -> records.Record:
    names = [layer.name for layer in layers]
    if len(set(names)) != len(names):
        raise StoreError(f"layers {names}: each name may appear once")
    try:
        return records.pack_json({"layers": [layer.to_dict() for layer in layers], "meta": dict(meta)})
    except (TypeError, ValueError) as error:
        raise StoreError(f"meta: {error}; give numbers, text, lists and dicts only") from None
