"""The recorder's other half: a thread that writes snapshots while the training goes on."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray
from prunescope.engine.store import LayerInfo, RunWriter, Store, StoreError, StoreFull

# Snapshots that wait to be written may take this much memory; two may wait however large they are.
_WAITING_BYTES = 256 << 20
_WAITING_AT_LEAST = 2


class Snapshot(NamedTuple):
    """A copy of a model at one moment."""

    epoch: float
    tensors: Mapping[str, NDArray[Any]]
    metrics: Mapping[str, float]

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        return sum(array.nbytes for array in self.tensors.values())


class Declaration(NamedTuple):
    """What the run is told before the first snapshot."""

    layers: Sequence[LayerInfo]
    total_epochs: float | None
    meta: Mapping[str, Any]
    data: tuple[NDArray[Any], NDArray[Any]] | None


class BackgroundWriter:
    """Writes the snapshots of one run on a daemon thread, in order.

    Everything that touches the disk happens here. A snapshot that cannot be written is counted, and the run's
    message says how many were; the next one is tried again, as room may have been made.

    Parameters
    ----------
    store, run_id
        The run, made already.
    declaration : Declaration
    durable : bool
    trouble : callable(topic, message)
        Told of every failure; it is called on the writing thread.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        declaration: Declaration,
        *,
        durable: bool,
        trouble: Callable[[str, str], None],
    ) -> None:
        self._store, self._run_id, self._durable = store, run_id, durable
        self._declaration = declaration
        self._trouble = trouble
        self._state = threading.Condition()
        self._waiting: deque[Snapshot] = deque()
        self._skipped = 0
        self._ending: tuple[str, str] | None = None
        self._thread = threading.Thread(target=self._run, name="prunescope-recorder", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be written."""
        return self._ending is not None

    def has_room(self) -> bool:
        """Whether one more snapshot may wait; a bounded memory is worth more than one more epoch."""
        with self._state:
            waiting = sum(snapshot.size for snapshot in self._waiting)
            return len(self._waiting) < _WAITING_AT_LEAST or waiting <= _WAITING_BYTES

    def put(self, snapshot: Snapshot) -> None:
        """Leave a snapshot to be written; returns at once."""
        with self._state:
            self._waiting.append(snapshot)
            self._state.notify()

    def skip(self) -> None:
        """Count a snapshot that will never come here."""
        with self._state:
            self._skipped += 1

    def end(self, state: str, message: str, seconds: float) -> bool:
        """Write what waits and note how the run ended; False if that took longer than `seconds`."""
        with self._state:
            self._ending = self._ending or (state, message)
            self._state.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._store.writer(self._run_id, durable=self._durable) as writer:
                layers, total_epochs, meta, data = self._declaration
                writer.declare(layers, total_epochs=total_epochs, meta=meta)
                writer.set_state("running")
                if data is not None:
                    self._attempt("the data was not kept", lambda: writer.save_evaluation_data(*data))
                while (snapshot := self._next()) is not None:
                    self._commit(writer, snapshot)
                self._finish(writer)
        except Exception as error:  # whatever it is: the training must not hear of it but by a warning
            with self._state:
                self._ending = self._ending or ("failed", str(error))
                self._waiting.clear()
            self._trouble("write", f"recording has ended: {error}")

    def _next(self) -> Snapshot | None:
        """The next snapshot, or None when the end was asked for and all is written."""
        with self._state:
            while not self._waiting and self._ending is None:
                self._state.wait()
            return self._waiting.popleft() if self._waiting else None

    def _commit(self, writer: RunWriter, snapshot: Snapshot) -> None:
        def commit() -> None:
            writer.commit(*snapshot)
            if (writer.head.state, writer.head.message) != ("running", self._note()):
                writer.set_state("running", self._note())

        if not self._attempt(f"epoch {snapshot.epoch:g} was not recorded", commit):
            self.skip()

    def _finish(self, writer: RunWriter) -> None:
        state, message = self._ending or ("done", "")
        if state == "done" and writer.head.state == "failed":
            return  # the last snapshot found no room, and the head says so
        text = " ".join(part for part in (message, self._note()) if part)
        self._attempt("the end was not noted", lambda: writer.set_state(state, text))

    def _attempt(self, otherwise: str, act: Callable[[], object]) -> bool:
        """Whether `act` went well."""
        try:
            act()
        except (StoreError, OSError, ValueError) as error:
            self._trouble("full" if isinstance(error, StoreFull) else "write", f"{otherwise}: {error}")
            return False
        return True

    def _note(self) -> str:
        with self._state:
            return f"{self._skipped} snapshots were not recorded." if self._skipped else ""
