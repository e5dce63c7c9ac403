"""Four lines in somebody else's training loop, and its weights stream into the dashboard.

    with Recorder("runs", name="mine", model=model, config={"lr": 0.1}) as recorder:
        for epoch in range(epochs):
            ...
            recorder.log(epoch, {"val/accuracy": accuracy})

The training thread only copies tensors; another one writes them. Whatever goes wrong becomes one warning,
and training goes on.
"""

import atexit
import logging
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.recording import BackgroundWriter, Declaration, Snapshot
from prunescope.engine.store import LayerInfo, Store, StoreError
from prunescope.engine.store.keys import epoch_key, key_epoch

if TYPE_CHECKING:
    from prunescope.engine.evaluation.answering import Answering
    from torch import nn

# How long `close` waits for a disk that does not answer.
_CLOSE_SECONDS = 60.0

_log = logging.getLogger("prunescope")


class Recorder:
    """Records a model's weights from any PyTorch loop. Use it in a ``with`` block, or call `close`.

    It never raises into the training and never waits for the disk: what cannot be recorded is counted, warned
    about once, and noted in the run. The initialisation is recorded at once, as epoch 0.

    Parameters
    ----------
    root : str or Path
        The log directory that the dashboard shows.
    model : nn.Module
        Read, never wrapped or hooked. One inside `torch.compile` or `DataParallel` keeps its layers' own names.
    name : str, optional
        Display name of the run.
    config : mapping, optional
        Whatever describes the run; what JSON has no word for is kept as text.
    layers : sequence of str
        Patterns of module paths, e.g. ``("features.*", "fc1")``.
    every : int
        Record every n-th call of `log`.
    total_epochs : float, optional
        What the loop aims at, for the progress bar.
    record_dtype : str
        ``float32``, or ``float16`` for half the space (angles err by at most 0.007°).
    data : (inputs, targets), optional
        Validation examples, kept with the run so that pruning can be measured on them later.
    measure_on : callable, optional
        Returns (inputs, targets), validation examples on the CPU. While this process lives, it then answers the
        dashboard's questions about pruning itself, in a forked process, from a copy of the model and the recorded
        weights: nobody has to name the model. The callable runs once, there, when somebody first asks.
    durable : bool
        Make every snapshot survive a power cut, not only a kill.

    Attributes
    ----------
    run_id : str or None
        The run in the store; None if it could not be made.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        model: "nn.Module",
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        layers: Sequence[str] = ("*",),
        every: int = 1,
        total_epochs: float | None = None,
        record_dtype: str = "float32",
        data: tuple[Any, Any] | None = None,
        measure_on: Callable[[], tuple[Any, Any]] | None = None,
        durable: bool = False,
    ) -> None:
        self.run_id: str | None = None
        self._model = model
        self._calls = 0
        self._offset: float | None = None
        self._last = -1
        self._process = os.getpid()
        self._warned: set[str] = set()
        self._to_say: deque[tuple[str, str]] = deque()
        self._writer: BackgroundWriter | None = None
        self._answering: Answering | None = None
        try:
            self._every = _positive(every)
            self._model = model = _unwrapped(model)
            declaration = Declaration(
                _chosen_layers(model, layers, record_dtype),
                None if total_epochs is None else float(total_epochs),
                _meta(model),
                None if data is None else (_array(data[0]), _array(data[1])),
            )
            store = Store(root)
            self.run_id = store.create_run(_jsonable(config or {}), name=name, kind="record")
            # Before the writer: its thread and its lock are none of the other process's business.
            if measure_on is not None:
                self._answer(store, self.run_id, model, measure_on)
            self._writer = BackgroundWriter(
                store, self.run_id, declaration, durable=durable, trouble=self._hear_trouble
            )
            atexit.register(self._close_at_exit)
            self._take(self._writer, 0.0, {})
        except Exception as error:  # a bad argument of whatever kind
            self._warn("start", f"recording is off: {error}")

    def _answer(self, store: Store, run_id: str, model: "nn.Module", examples: Callable[[], Any]) -> None:
        from prunescope.engine.evaluation.answering import Answering

        try:
            self._answering = Answering(store, run_id, model, examples)
        except Exception as error:  # no socket, or a folder that went away
            self._warn("answers", f"questions about pruning are not answered here: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Close; the run says how the block ended."""
        self.close(error)

    def log(self, epoch: float, metrics: Mapping[str, Any] | None = None) -> None:
        """Record the model as it is now, after `epoch`.

        Parameters
        ----------
        epoch : float
            Completed epochs, increasing; fractions are snapshots inside an epoch. A loop that counts from 0
            is noticed by its first call: all is then shown one later, as 0 is the initialisation.
        metrics : mapping of str to number, optional
        """
        self._say()
        if self._writer is None or self._writer.is_over:
            return
        self._calls += 1
        try:
            if self._offset is None:
                self._offset = 1.0 if epoch == 0 else 0.0
            if self._calls % self._every == 0:
                self._take(self._writer, epoch + self._offset, metrics or {})
        except Exception as error:  # a bad argument of whatever kind
            self._writer.skip()
            self._warn("log", f"epoch {epoch!r} was not recorded: {error}")

    def close(self, error: BaseException | None = None) -> None:
        """Write what still waits, and end the run as done (or, given an error, as failed)."""
        answering, self._answering = self._answering, None
        if answering is not None and os.getpid() == self._process:
            answering.close()
        writer, self._writer = self._writer, None
        if writer is not None and os.getpid() == self._process:
            atexit.unregister(self._close_at_exit)
            if not writer.end(*_ending(error), _CLOSE_SECONDS):
                self._warn(
                    "close", f"the disk has not answered for {_CLOSE_SECONDS:.0f} s: epochs may be lost"
                )
        self._say()

    def _close_at_exit(self) -> None:
        """The program ends without `close`; an error that ended it was kept by Python."""
        self.close(getattr(sys, "last_value", None))

    def _take(self, writer: BackgroundWriter, epoch: float, metrics: Mapping[str, Any]) -> None:
        """Copy the model and leave the copy to the writer, unless that is too far behind."""
        from prunescope.engine.models import state_arrays

        key = epoch_key(float(epoch))
        if key <= self._last:
            raise StoreError(f"it is not after epoch {key_epoch(self._last):g}; epochs must increase")
        if not writer.has_room():
            writer.skip()
            self._warn("behind", f"epoch {epoch:g} was skipped: the disk is slower than the training")
            return
        writer.put(Snapshot(key_epoch(key), state_arrays(self._model), self._numbers(metrics)))
        self._last = key

    def _numbers(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        numbers = {}
        for name, value in metrics.items():
            try:
                numbers[str(name)] = float(value)
            except (TypeError, ValueError, RuntimeError):
                self._warn(f"metric {name}", f"metric {name!r} is left out: {value!r} is not a number")
        return numbers

    def _hear_trouble(self, topic: str, message: str) -> None:
        """Keep it for the training thread, where the user's warning filters apply."""
        self._to_say.append((topic, message))

    def _say(self) -> None:
        while self._to_say:
            self._warn(*self._to_say.popleft())

    def _warn(self, topic: str, message: str) -> None:
        """Once a topic; a log record where warnings are errors, since recording never breaks a training."""
        if topic in self._warned:
            return
        self._warned.add(topic)
        try:
            warnings.warn(f"prunescope: {message} (training goes on)", stacklevel=3)
        except Warning:
            _log.warning("%s (training goes on)", message)


def _ending(error: BaseException | None) -> tuple[str, str]:
    if error is None:
        return "done", ""
    if isinstance(error, KeyboardInterrupt):
        return "stopped", ""
    return "failed", f"{type(error).__name__}: {error}"


def _positive(every: object) -> int:
    if type(every) is not int or every < 1:
        raise ValueError(f"every={every!r}: give a whole number from 1")
    return every


def _unwrapped(model: "nn.Module") -> "nn.Module":
    from prunescope.engine.models import unwrapped

    return unwrapped(model)


def _chosen_layers(model: "nn.Module", globs: Sequence[str], dtype: str) -> list[LayerInfo]:
    from prunescope.engine.models import unit_layers

    patterns = (globs,) if isinstance(globs, str) else tuple(globs)
    return [replace(layer, dtype=dtype) for layer in unit_layers(model, patterns)]


def _meta(model: "nn.Module") -> dict[str, Any]:
    import torch

    parameters = list(model.parameters())
    return {
        "model": type(model).__name__,
        "parameters": sum(parameter.numel() for parameter in parameters),
        "device": str(parameters[0].device) if parameters else "cpu",
        "torch": torch.__version__,
    }


def _array(values: Any) -> NDArray[Any]:
    return values.detach().cpu().numpy().copy() if hasattr(values, "detach") else np.array(values)


def _jsonable(value: Any) -> Any:
    """The same in words that JSON has; everything else as text."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
