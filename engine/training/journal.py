"""What a training leaves behind: snapshots, and checkpoints often enough but never costly."""

import math
import time
from collections.abc import Callable, Collection
from typing import Any

import torch
from prunescope.engine.models import state_arrays
from prunescope.engine.store import RunWriter
from prunescope.engine.training.checkpoint import to_bytes
from prunescope.engine.training.job import Job
from prunescope.engine.training.moments import early_steps
from prunescope.engine.training.start import keep_state
from torch import Tensor

# A checkpoint waits until the training since the last one took 100 times what that one cost: 1%.
CHECKPOINT_PATIENCE = 100
# Inside one long epoch nobody should lose more than this.
CHECKPOINT_SECONDS = 60.0

# Training examples that an untrained network is measured on: of CIFAR-10 a Conv-4 would take minutes for all, and
# the first figure waits for it.
UNTRAINED_EXAMPLES = 2000

OnEpoch = Callable[[float, dict[str, float]], Any]


class Diverged(ArithmeticError):
    """The loss is no longer a finite number."""


class Journal:
    """Writes a job's snapshots and checkpoints.

    Parameters
    ----------
    on_epoch : called with the epoch and its metrics when a completed epoch (or the
        initialisation) has been committed
    keep : steps at which the whole state is kept, for runs that will rewind to it
    begins_trained : whether the weights that the job begins with are another training's
    """

    def __init__(
        self,
        writer: RunWriter,
        job: Job,
        on_epoch: OnEpoch | None = None,
        keep: Collection[int] = (),
        *,
        begins_trained: bool = False,
    ) -> None:
        config = job.config
        self._writer = writer
        self._on_epoch = on_epoch
        self._early = frozenset(early_steps(config.early_snapshots, job.order.steps, config.epochs))
        self._keep = frozenset(keep)
        self._begins_trained = begins_trained
        self._saved_at = time.monotonic()
        self._save_cost = 0.0

    def is_snapshot_due(self, job: Job) -> bool:
        """Whether the moment that the job has reached is to be recorded."""
        if not job.is_between_epochs:
            return job.step in self._early
        epoch = job.step // job.order.steps
        return epoch % job.config.snapshot_every == 0 or job.step == job.total_steps

    def snapshot(self, job: Job, rows: Tensor | None = None) -> None:
        """Record the moment: weights and metrics, in one commit.

        Parameters
        ----------
        rows : the order of the running epoch's examples. Training metrics are those of
            the batches seen in this epoch so far, as each was met. Without rows the start
            of the training is recorded, which has met none: the training set is evaluated,
            of an untrained network on `UNTRAINED_EXAMPLES` of it, always the same.

        Raises
        ------
        Diverged
            When the loss is nan or infinite; nothing is recorded then.
        """
        data = job.data
        if rows is None:
            some = slice(None)
            if not self._begins_trained and len(data.train_x) > UNTRAINED_EXAMPLES:
                # Stored examples may be sorted by class.
                shuffle = torch.randperm(len(data.train_x), generator=torch.Generator().manual_seed(0))
                some = shuffle[:UNTRAINED_EXAMPLES].to(data.train_x.device)
            train_loss, train_accuracy = job.evaluate(data.train_x[some], data.train_y[some])
        else:
            outputs = torch.cat(job.outputs)
            train_loss, train_accuracy = job.judge(outputs, data.train_y[rows[: len(outputs)]])
        check_finite(train_loss, job)
        val_loss, val_accuracy = job.evaluate(data.val_x, data.val_y)
        check_finite(val_loss, job)
        metrics = {
            "train/loss": train_loss,
            "train/accuracy": train_accuracy,
            "val/loss": val_loss,
            "val/accuracy": val_accuracy,
            # Of the update that led here.
            "lr": job.schedule.at(max(job.step - 1, 0)),
        }
        self._writer.commit(job.epoch, state_arrays(job.model), metrics)
        if self._on_epoch is not None and job.is_between_epochs:
            self._on_epoch(job.epoch, metrics)

    def keep(self, job: Job) -> None:
        """Keep the state of this moment, if it was asked for."""
        if job.step in self._keep:
            keep_state(self._writer.path, job.step, to_bytes(job))

    def checkpoint(self, job: Job) -> None:
        """Save all that a resumed run needs."""
        begun = time.monotonic()
        self._writer.save_checkpoint(to_bytes(job), job.epoch)
        self._saved_at = time.monotonic()
        self._save_cost = self._saved_at - begun

    def tell(self, state: str, message: str = "") -> None:
        """Let the readers know what the run is doing."""
        self._writer.set_state(state, message)

    def is_checkpoint_due(self, job: Job) -> bool:
        """Whether a checkpoint is wanted by now, and has become cheap enough."""
        waited = time.monotonic() - self._saved_at
        if waited < CHECKPOINT_PATIENCE * self._save_cost:
            return False
        if waited > CHECKPOINT_SECONDS:
            return True
        return job.is_between_epochs and (job.step // job.order.steps) % job.config.checkpoint_every == 0


def check_finite(loss: float, job: Job) -> None:
    """Raise `Diverged` when a loss is nan or infinite, saying when and what to do."""
    if not math.isfinite(loss):
        raise Diverged(
            f"the loss became {loss} in epoch {math.ceil(job.epoch)} (step {job.step}). "
            f"Lower the learning rate (lr is {job.config.lr:g}) "
            f"or the init scale ({job.config.init_scale:g})."
        )
