"""One run from its folder to its last epoch, in this process."""

import signal
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from prunescope.engine.config import RunConfig, check_fits, check_within_reach
from prunescope.engine.data.dataset import Progress
from prunescope.engine.models import unit_layers
from prunescope.engine.store import Run, RunWriter, Store, StoreError
from prunescope.engine.training.checkpoint import from_bytes
from prunescope.engine.training.control import Control, begin_control, ended_by
from prunescope.engine.training.environment import settled
from prunescope.engine.training.job import Job, new_job
from prunescope.engine.training.journal import Journal, OnEpoch
from prunescope.engine.training.loop import fit
from prunescope.engine.training.masking import set_masks
from prunescope.engine.training.start import Start, read_start


def train(config: RunConfig, store: Store, *, on_epoch: OnEpoch | None = None) -> Run:
    """Train in this process, recording every epoch into the store.

    Parameters
    ----------
    on_epoch : called as ``on_epoch(epoch, metrics)`` after each recorded epoch, the
        initialisation (0.0) included

    Returns
    -------
    the finished run; its status is "stopped" when somebody asked for that

    Raises
    ------
    ConfigError
        When the model does not fit the data or they are out of reach; nothing is recorded then.
    Diverged
        When the loss becomes nan or infinite. As after every error, the run is marked
        as failed and keeps what was recorded.
    KeyboardInterrupt
        After Ctrl-C, once the run has been saved; it can be resumed.
    """
    config = config.in_place
    check_fits(config)
    check_within_reach(config)
    run_id = store.create_run(config.to_dict(), name=config.title)
    return train_run(store, run_id, trusted=True, on_epoch=on_epoch)


def train_run(
    store: Store,
    run_id: str,
    *,
    trusted: bool = False,
    on_epoch: OnEpoch | None = None,
    on_progress: Progress | None = None,
) -> Run:
    """Train a run that is in the store: a new one from its beginning, any other from its last checkpoint.

    A finished run is returned as it is.

    Parameters
    ----------
    trusted : whether `module:callable` settings of the run may be imported, that is,
        whether this folder is the user's own
    on_progress : called now and then while the data are fetched or read, with what, how much and of how much
    """
    if store.run(run_id).status == "done":
        return store.run(run_id)
    config = RunConfig.from_dict(store.run(run_id).config, trusted=trusted)
    with store.writer(run_id, durable=config.durable) as writer, ended_by(signal.SIGINT) as ending:
        work(writer, config, begin_control(store.run(run_id), writer, ending), on_epoch, on_progress)
    if ending.is_set():
        raise KeyboardInterrupt
    return store.run(run_id)


def work(
    writer: RunWriter,
    config: RunConfig,
    control: Control,
    on_epoch: OnEpoch | None = None,
    on_progress: Progress | None = None,
) -> None:
    """Train under a writer that is already held, and leave the run in the right state whatever happens."""
    try:
        writer.set_state("running", "preparing")
        with settled(threads=config.threads or torch.get_num_threads()):
            job = new_job(config, progress=Preparation(writer, control, on_progress))
            start = read_start(writer.path) or Start()
            begin_from(job, start)
            saved = writer.load_checkpoint()
            saved_by = torch.__version__ if saved is None else from_bytes(job, saved[1])
            layers = [
                replace(layer, dtype=config.record_dtype) for layer in unit_layers(job.model, config.layers)
            ]
            writer.declare(layers, total_epochs=config.epochs, meta=describe(job))
            writer.set_state("running", other_version(saved_by))
            trained = bool(start.weights) or start.state is not None
            journal = Journal(writer, job, on_epoch, keep=start.keep, begins_trained=trained)
            finished = fit(job, journal, control)
        if finished:
            writer.set_state("done")
        else:
            writer.set_state("stopped", f"at epoch {job.epoch:.4g}; resume continues there")
    except Halted:
        writer.set_state("stopped", "before the training began")
    except BaseException as error:
        # On a full disk even this cannot be written: the error itself must get through.
        with suppress(StoreError):
            if isinstance(error, KeyboardInterrupt):
                writer.set_state("stopped", "interrupted at once; resume continues from the last checkpoint")
            else:
                writer.set_state("failed", in_one_line(error))
        raise


class Halted(Exception):
    """A stop was asked for while the data was being prepared."""


class Preparation:
    """Shows how far a download or the reading of a folder is, and lets it be stopped."""

    def __init__(self, writer: RunWriter, control: Control, on_progress: Progress | None) -> None:
        self._writer, self._control, self._tell = writer, control, on_progress

    def __call__(self, what: str, done: int, total: int) -> None:
        if not self._control.due() and done != total:
            return
        if self._control.look() == "stop":
            raise Halted
        if self._tell is not None:
            self._tell(what, done, total)
        share = f" {100 * done / total:.0f}%" if total else ""
        self._writer.set_state("running", f"preparing {what}{share}")


def begin_from(job: Job, start: Start) -> None:
    """Bring a fresh job to where its run begins: another run's state, then weights, then masks.

    Raises
    ------
    ValueError
        If a weight or a mask does not fit the network, naming it.
    """
    if start.state is not None:
        from_bytes(job, start.state)
    job.first_step, job.prunings = start.step, start.prunings
    state = job.model.state_dict()
    with torch.no_grad():
        for name, array in start.weights.items():
            if name not in state or tuple(state[name].shape) != array.shape:
                there = tuple(state[name].shape) if name in state else "no such tensor"
                raise ValueError(f"start weights {name}: shape {array.shape}, and the network has {there}.")
            state[name].copy_(torch.from_numpy(array))
    set_masks(job, {name: torch.from_numpy(mask) for name, mask in start.masks.items()})


def other_version(saved_by: str) -> str:
    """What to say when a run goes on under another torch than the one that saved its state."""
    if saved_by == torch.__version__:
        return ""
    return f"goes on with torch {torch.__version__}, and was saved by {saved_by}: not bit for bit the same training"


def in_one_line(error: BaseException) -> str:
    """An error as the last line of its traceback, whatever its message holds."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:700]


def describe(job: Job) -> dict[str, Any]:
    """What a reader may want to know of a run beyond its config."""
    data = job.data
    return {
        "dataset": {
            "name": data.name,
            "input_shape": list(data.input_shape),
            "n_classes": data.n_classes,
            "class_names": list(data.class_names),
            "n_train": len(data.train_x),
            "n_val": len(data.val_x),
        },
        "parameters": sum(parameter.numel() for parameter in job.model.parameters()),
        "steps_per_epoch": job.order.steps,
        "device": str(job.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
    }
